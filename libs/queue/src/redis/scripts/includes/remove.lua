-- Forgets final jobs. Needs includes/pool and includes/output. What is removed is removed at once, so that later steps
-- of the same script see it; `noteEmptied` comes after `flush`.
local touched = {}

local KEYS_AT_ONCE = 1000 -- a Lua function is given 8000 values at most

-- All of one state. Ids that are not what they are listed as only leave the list. Answers how many records went.
local function removeJobs(state, ulids)
  local keys, members, count = {}, {}, 0
  local function send()
    if #keys > 0 then
      call('UNLINK', unpack(keys))
    end
    if #members > 0 then
      call('ZREM', base .. 'outputs', unpack(members))
    end
    keys, members = {}, {}
  end
  for _, ulid in ipairs(ulids) do
    local key = jobKey(ulid)
    local v = call('HMGET', key, 'state', 'rule', 'outputs')
    if v[1] == state then
      local n = #keys
      keys[n + 1], keys[n + 2] = key, base .. 'h:' .. ulid
      for start in string.gmatch(v[3] or '', '%d+') do
        dropOutputLater(ulid, start, keys, members)
      end
      if #keys >= KEYS_AT_ONCE then
        send()
      end
      count = count + 1
      local batch = ruleOf(v[2]).batchId
      if batch then
        countBatch(batch, 'kept', -1)
        touched[batch] = true
      end
    end
  end
  if #ulids > 0 then
    call('ZREM', base .. state, unpack(ulids))
  end
  send()
  return count
end

-- Batches without a record left are listed; their counts stay until trim is told that the batch itself is gone.
local function noteEmptied()
  for batch in pairs(touched) do
    if (tonumber(redis.call('HGET', base .. 'b:' .. batch, 'kept')) or 0) <= 0 then
      redis.call('SADD', base .. 'emptied', batch)
    end
  end
end
