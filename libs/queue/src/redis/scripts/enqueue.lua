#!lua
-- Adds jobs. A job that is there already (a repetition: the ids come from the caller) is left as it is. A second sending
-- of the call adds nothing: what it does not find has come and gone meanwhile.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] number of jobs, then for each:
--   ULID, spec (JSON), rule (JSON, or '' where all is default), options: '' or JSON of what is not default of priority,
--   delayMs and runAtMs (ms since 1970).
-- Returns the time in ms, then flat for each job that is anything but new, queued and created at that time: its position
--   from 0, state, time of creation in ms, 1 when it was there before.
-- States: (none) -> queued | scheduled.
--- @include pool
--- @include record
--- @include job

local WIDTH = 4
local NO_OPTIONS = {}
local SMALL_SPEC = 4096 -- the size of a larger one is in the record: a claim reads no more than it may answer
local count = num()
local seq = repeated and 0 or call('INCRBY', base .. 'seq', count) - count
local reply, created, ulids, specs = { now }, {}, {}, {}
local queued, scheduled = listOf(adds, base .. 'queued'), listOf(adds, base .. 'scheduled')
local times = ' ' .. nowText .. ' '

for i = 1, count do
  ulids[i] = ARGV[cursor + (i - 1) * WIDTH + 1]
end
fetchRecords(ulids)

local function except(position, state, at, wasThere)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = position, state, at, wasThere
end

for i = 1, count do
  local at, ulid = cursor + (i - 1) * WIDTH, ulids[i]
  local spec, rule, more = ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local there = load(ulid)
  if there or repeated then
    except(i - 1, there and there.state or 'queued', there and tonumber(there.created) or now, 1)
  else
    local options = more == '' and NO_OPTIONS or cjson.decode(more)
    local priority, due = options.priority or 0, options.delayMs and now + options.delayMs or options.runAtMs
    local rare = priority ~= 0 and 'priority=' .. int(priority) or ''
    if #spec > SMALL_SPEC then
      rare = rare .. (rare == '' and '' or ' ') .. 'bytes=' .. #spec
    end
    local state = 'queued'
    if due and due > now then
      state = 'scheduled'
      writeRecord(ulid, '-' .. times .. '-|' .. rare .. (rare == '' and '' or ' ') .. 'due=' .. int(due) .. ' why=delay|' .. rule ..
        '\nscheduled\n')
      local n = #scheduled
      scheduled[n + 1], scheduled[n + 2] = int(due), ulid
      event(state, ulid, 0, nil, int(due))
      except(i - 1, state, now, 0)
    else
      local place = format('%d', (1000 - priority) * PLACES + seq + i)
      writeRecord(ulid, place .. times .. nowText .. '|' .. rare .. '|' .. rule .. '\n')
      local n = #queued
      queued[n + 1], queued[n + 2] = place, ulid
      line('queued ', ulid, ' 0 -')
    end
    local batch = ruleOf(rule).batchId
    if batch then
      countBatch(batch, state, 1)
      countBatch(batch, 'kept', 1)
    end
    specs[#specs + 1] = ulid
    specs[#specs + 1] = spec
    created[#created + 1] = ulid
  end
end

if #created > 0 then
  setAll(base .. 'specs', specs)
  call('XADD', base .. 'created', '*', 'u', table.concat(created, ' '))
end
flush()
return reply
