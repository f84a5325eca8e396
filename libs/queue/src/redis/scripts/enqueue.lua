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
--- @include job

local WIDTH = 4
local NO_OPTIONS = {}
local count = num()
local seq = repeated and 0 or call('INCRBY', base .. 'seq', count) - count
local reply, created, keys, added = { now }, {}, {}, {}
local queued, scheduled = listOf(adds, base .. 'queued'), listOf(adds, base .. 'scheduled')

for i = 1, count do
  keys[i] = jobKey(ARGV[cursor + (i - 1) * WIDTH + 1])
end
-- Nearly always all of them are new: one look then is enough.
local allNew = not repeated and call('EXISTS', unpack(keys)) == 0

local function except(position, state, at, wasThere)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = position, state, at, wasThere
end

for i = 1, count do
  local at, key = cursor + (i - 1) * WIDTH, keys[i]
  local ulid, spec, rule, more = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local there = not (allNew and not added[key]) and call('HMGET', key, 'state', 'created')
  if there and (there[1] or repeated) then
    except(i - 1, there[1] or 'queued', tonumber(there[2]) or now, 1)
  else
    local options = more == '' and NO_OPTIONS or cjson.decode(more)
    local priority, due = options.priority or 0, options.delayMs and now + options.delayMs or options.runAtMs
    local state = 'queued'
    if due and due > now then
      state = 'scheduled'
      call('HSET', key, 'spec', spec, 'rule', rule, 'state', state, 'priority', priority, 'created', nowText, 'due',
        int(due), 'why', 'delay')
      local n = #scheduled
      scheduled[n + 1], scheduled[n + 2] = int(due), ulid
      event(state, ulid, 0, nil, int(due))
      except(i - 1, state, now, 0)
    else
      local place = format('%d', (1000 - priority) * PLACES + seq + i)
      if rule == '' and priority == 0 then
        call('HSET', key, 'spec', spec, 'state', state, 'created', nowText, 'place', place, 'queued', nowText)
      else
        call('HSET', key, 'spec', spec, 'rule', rule, 'state', state, 'priority', priority, 'created', nowText, 'place',
          place, 'queued', nowText)
      end
      local n = #queued
      queued[n + 1], queued[n + 2] = place, ulid
      lines[#lines + 1] = 'queued ' .. ulid .. ' 0 -'
    end
    local batch = ruleOf(rule).batchId
    if batch then
      countBatch(batch, state, 1)
      countBatch(batch, 'kept', 1)
    end
    added[key] = true
    created[#created + 1] = ulid
  end
end

if #created > 0 then
  call('XADD', base .. 'created', '*', 'u', table.concat(created, ' '))
end
flush()
return reply
