-- Forgets final jobs. Needs includes/pool and includes/output. What is removed is removed at once, so that later steps
-- of the same script see it; `noteEmptied` comes after `flush`.
local touched = {}

-- All of one state. Ids that are not what they are listed as only leave the list. Answers how many records went.
local function removeJobs(state, ulids)
  local keys = {}
  for _, ulid in ipairs(ulids) do
    local v = redis.call('HMGET', jobKey(ulid), 'state', 'rule', 'outputs')
    if v[1] == state then
      keys[#keys + 1] = jobKey(ulid)
      keys[#keys + 1] = base .. 'h:' .. ulid
      for start in string.gmatch(v[3] or '', '%d+') do
        dropOutput(ulid, start)
      end
      local batch = v[2] and string.find(v[2], '"batchId"', 1, true) and cjson.decode(v[2]).batchId
      if batch then
        countBatch(batch, 'kept', -1)
        touched[batch] = true
      end
    end
  end
  if #ulids > 0 then
    redis.call('ZREM', base .. state, unpack(ulids))
  end
  if #keys > 0 then
    redis.call('UNLINK', unpack(keys))
  end
  return #keys / 2
end

-- Batches without a record left are listed; their counts stay until trim is told that the batch itself is gone.
local function noteEmptied()
  for batch in pairs(touched) do
    if (tonumber(redis.call('HGET', base .. 'b:' .. batch, 'kept')) or 0) <= 0 then
      redis.call('SADD', base .. 'emptied', batch)
    end
  end
end
