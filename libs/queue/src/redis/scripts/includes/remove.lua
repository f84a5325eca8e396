-- Forgets final jobs. Needs includes/pool, includes/record and includes/output. What is removed is removed at once, so that later steps
-- of the same script see it; `noteEmptied` comes after `flush`.
local touched = {}

local KEYS_AT_ONCE = 1000 -- a Lua function is given 8000 values at most

-- Whether a job succeeded at its first start and has nothing unusual: then it has no earlier attempts and no output, and its
-- record need not be taken apart. Nearly all are so.
local PLAIN = '^running %S+ %S+ %S+ %S+ %S+ 1 %S+\nsucceeded '
local function isPlain(text)
  local at = find(text, '\n', 1, true)
  return at and find(text, '^[^|]*||') and find(text, PLAIN, at + 1)
end

-- All of one state. Ids that are not what they are listed as only leave the list. Answers how many records went.
local function removeJobs(state, ulids)
  if #ulids == 0 then
    return 0
  end
  local keys, members, gone = {}, {}, {}
  local function send()
    if #keys > 0 then
      call('UNLINK', unpack(keys))
    end
    if #members > 0 then
      call('ZREM', base .. 'outputs', unpack(members))
    end
    keys, members = {}, {}
  end
  fetchRecords(ulids)
  for _, ulid in ipairs(ulids) do
    local text = records[ulid]
    local plain = text and state == 'succeeded' and isPlain(text)
    local job = not plain and load(ulid) or nil
    if plain or job and job.state == state then
      gone[#gone + 1] = ulid
      records[ulid] = false
      local batch = plain and ruleIn(text).batchId or job and job.batch
      if batch then
        countBatch(batch, 'kept', -1)
        touched[batch] = true
      end
      if job and job.starts > 0 then
        keys[#keys + 1] = base .. 'h:' .. ulid
      end
      for start in string.gmatch(job and job.outputs or '', '%d+') do
        dropOutputLater(ulid, start, keys, members)
      end
      if #keys >= KEYS_AT_ONCE then
        send()
      end
    end
  end
  call('ZREM', base .. state, unpack(ulids))
  if #gone > 0 then
    call('HDEL', jobsKey, unpack(gone))
    call('HDEL', base .. 'specs', unpack(gone))
    call('HDEL', base .. 'ends', unpack(gone))
  end
  send()
  return #gone
end

-- Batches without a record left are listed; their counts stay until trim is told that the batch itself is gone.
local function noteEmptied()
  for batch in pairs(touched) do
    if (tonumber(redis.call('HGET', base .. 'b:' .. batch, 'kept')) or 0) <= 0 then
      redis.call('SADD', base .. 'emptied', batch)
    end
  end
end
