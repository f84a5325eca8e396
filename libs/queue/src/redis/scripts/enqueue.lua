#!lua
-- Adds jobs. A job that is there already (a repetition: the ids come from the caller) is left as it is. A second sending
-- of the call adds nothing: what it does not find has come and gone meanwhile.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] number of jobs, then they, in groups of those that
--   follow each other and have the same rule and options: how many, rule (JSON, or '' where all is default), options ('' or
--   JSON of what is not default of priority, delayMs and runAtMs, ms since 1970), then ULID and spec (JSON) of each.
-- Returns the time in ms, then flat for each job that is anything but new, queued and created at that time: its position
--   from 0, state, time of creation in ms, 1 when it was there before.
-- States: (none) -> queued | scheduled.
--- @include pool
--- @include record
--- @include job

local SMALL_SPEC = 4096 -- the size of a larger one is in the record: a claim reads no more than it may answer
local count = num()
local seq = repeated and 0 or call('INCRBY', base .. 'seq', count) - count
local reply, created, ulids, specs = { now }, {}, {}, {}
local queued, scheduled = listOf(adds, base .. 'queued'), listOf(adds, base .. 'scheduled')
local times = ' ' .. nowText .. ' '

local at = cursor
while #ulids < count do
  local first, last = at + 4, at + 2 + 2 * tonumber(ARGV[at + 1])
  for i = first, last, 2 do
    ulids[#ulids + 1] = ARGV[i]
  end
  at = last + 1
end
fetchRecords(ulids)

local function except(position, state, at, wasThere)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = position, state, at, wasThere
end

local done = 0
while done < count do
  local size, rule, more = num(), arg(), arg()
  local options = more == '' and {} or cjson.decode(more)
  local priority, due = options.priority or 0, options.delayMs and now + options.delayMs or options.runAtMs
  local state = due and due > now and 'scheduled' or 'queued'
  local rare = priority ~= 0 and 'priority=' .. int(priority) or ''
  local place, tail = (1000 - priority) * PLACES + seq, '|' .. rule .. '\n'
  local plain = times .. nowText .. '|' .. rare .. tail
  local before = #created
  for i = done + 1, done + size do
    local ulid, spec = ulids[i], ARGV[cursor + 2]
    cursor = cursor + 2
    local there = load(ulid)
    if there or repeated then
      except(i - 1, there and there.state or 'queued', there and tonumber(there.created) or now, 1)
    else
      local some = #spec > SMALL_SPEC and rare .. (rare == '' and '' or ' ') .. 'bytes=' .. #spec or rare
      if state == 'scheduled' then
        writeRecord(ulid, '-' .. times .. '-|' .. some .. (some == '' and '' or ' ') .. 'due=' .. int(due) .. ' why=delay' ..
          tail .. 'scheduled\n')
        local n = #scheduled
        scheduled[n + 1], scheduled[n + 2] = int(due), ulid
        event(state, ulid, 0, nil, int(due))
        except(i - 1, state, now, 0)
      else
        local own = format('%d', place + i)
        writeRecord(ulid, own .. (some == rare and plain or times .. nowText .. '|' .. some .. tail))
        local n = #queued
        queued[n + 1], queued[n + 2] = own, ulid
        line('queued ', ulid, ' 0 -')
      end
      local n = #created
      created[n + 1], specs[2 * n + 1], specs[2 * n + 2] = ulid, ulid, spec
    end
  end
  local batch = ruleOf(rule).batchId
  if batch then
    countBatch(batch, state, #created - before)
    countBatch(batch, 'kept', #created - before)
  end
  done = done + size
end

if #created > 0 then
  setAll(base .. 'specs', specs)
  call('XADD', base .. 'created', '*', 'u', table.concat(created, ' '))
end
flush()
return reply
