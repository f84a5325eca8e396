#!lua
-- Adds jobs. A job that is there already (a repetition: the ids come from the caller) is left as it is. A second sending
-- of the call adds nothing: what it does not find has come and gone meanwhile.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] number of jobs, then for each:
--   ULID, priority, delay in ms or '', not before in ms since 1970 or '', batch or '', spec (JSON), rule (JSON or '').
-- Returns for each: state, time of creation in ms, 1 when it was there before.
-- States: (none) -> queued | scheduled.
--- @include pool
--- @include job

local count = num()
local seq = repeated and 0 or redis.call('INCRBY', base .. 'seq', count) - count
local created, reply = {}, {}

for i = 1, count do
  local ulid, priority, delay, runAt, batch, spec, rule = arg(), num(), num(), num(), arg(), arg(), arg()
  local there = redis.call('HMGET', jobKey(ulid), 'state', 'created')
  if there[1] or repeated then
    reply[i] = { there[1] or 'queued', tonumber(there[2]) or now, 1 }
  else
    local due = delay and now + delay or runAt
    local state = due and due > now and 'scheduled' or 'queued'
    if state == 'scheduled' then
      redis.call('HSET', jobKey(ulid), 'spec', spec, 'rule', rule, 'state', state, 'priority', priority, 'created',
        nowText, 'due', int(due), 'why', 'delay')
      push(adds, base .. state, int(due), ulid)
      event(state, ulid, 0, nil, int(due))
    else
      local place = int((1000 - priority) * PLACES + seq + i)
      redis.call('HSET', jobKey(ulid), 'spec', spec, 'rule', rule, 'state', state, 'priority', priority, 'created',
        nowText, 'place', place, 'queued', nowText)
      push(adds, base .. state, place, ulid)
      event(state, ulid)
    end
    if batch ~= '' then
      countBatch(batch, state, 1)
      countBatch(batch, 'kept', 1)
    end
    created[#created + 1] = ulid
    reply[i] = { state, now, 0 }
  end
end

if #created > 0 then
  redis.call('XADD', base .. 'created', '*', 'u', table.concat(created, ' '))
end
flush()
return reply
