-- Captured output. Needs includes/pool and includes/record. One start of a job has a hash o:ULID:N (attempt · stdout, stderr: everything
-- below is stored or lost · stdout.tail, stderr.tail: bytes in the list · bytes · truncated) and three lists: head (the
-- first quarter of the cap of either stream, as they came) and one tail for each stream (its last three quarters). An
-- entry is "o 1024 7\n" and the bytes: stream, offset, sequence. Bytes are never looked at.
local OUTPUTS_KEPT = 20
local outputDelta = 0

-- Adds to the bytes of all outputs what changed; before `flush`, and before they are looked at.
local function flushOutput()
  if outputDelta ~= 0 then
    redis.call('INCRBY', base .. 'outputBytes', int(outputDelta))
    outputDelta = 0
  end
end

-- Counts the output of one start as gone, and adds its keys and its member of `outputs` to what is to be removed.
-- Answers its bytes.
local function dropOutputLater(ulid, start, keys, members)
  local member = ulid .. ':' .. start
  local key = base .. 'o:' .. member
  local bytes = tonumber(call('HGET', key, 'bytes')) or 0
  local n = #keys
  keys[n + 1], keys[n + 2], keys[n + 3], keys[n + 4] = key, key .. ':head', key .. ':stdout', key .. ':stderr'
  members[#members + 1] = member
  outputDelta = outputDelta - bytes
  return bytes
end

-- Removes the output of one start. Answers its bytes.
local function dropOutput(ulid, start)
  local keys, members = {}, {}
  local bytes = dropOutputLater(ulid, start, keys, members)
  call('UNLINK', unpack(keys))
  call('ZREM', base .. 'outputs', unpack(members))
  return bytes
end

-- Lists the start in the record, so that all of them can be found again; only the latest are kept.
local function listOutput(job)
  local starts = {}
  local own = int(job.starts)
  for start in string.gmatch(job.outputs, '%d+') do
    if start ~= own then
      starts[#starts + 1] = start
    end
  end
  starts[#starts + 1] = own
  if #starts > OUTPUTS_KEPT then
    dropOutput(job.ulid, table.remove(starts, 1))
  end
  job.outputs = table.concat(starts, ',')
  save(job)
end

local function chunkEntry(stream, offset, sequence, data)
  return (stream == 'stdout' and 'o ' or 'e ') .. int(offset) .. ' ' .. sequence .. '\n' .. data
end

-- Drops from the front of a tail what is beyond `limit`. Answers the bytes dropped.
local function trimTail(key, stream, excess)
  local left = excess
  while left > 0 do
    local first = redis.call('LPOP', key)
    local offset, sequence, body = string.match(first, '^%a (%d+) (%d+)\n()')
    local data = string.sub(first, body)
    if #data > left then
      redis.call('LPUSH', key, chunkEntry(stream, tonumber(offset) + left, sequence, string.sub(data, left + 1)))
    end
    left = left - math.min(left, #data)
  end
  return excess
end

-- Appends to the output of the start that holds the job (as `load` gave it; checked by the caller).
-- What lies below the end is stored already; what begins beyond it leaves a gap. `cap` is in bytes, for each stream.
-- Answers the end: everything below it needs not be sent again. `flushOutput` has to follow.
local function appendChunk(job, stream, offset, sequence, data, cap)
  local member = job.ulid .. ':' .. int(job.starts)
  local key = base .. 'o:' .. member
  local quarter = math.floor(cap / 4)
  if job.outputs == '' and offset == 0 and #data > 0 and #data <= quarter then
    -- The first of a job of which nothing is stored, and mostly all that there is.
    local size = int(#data)
    listOutput(job)
    call('RPUSH', key .. ':head', chunkEntry(stream, 0, sequence, data))
    call('HSET', key, 'attempt', job.attempt, stream, size, 'bytes', size)
    outputDelta = outputDelta + #data
    push(adds, base .. 'outputs', nowText, member)
    return #data
  end
  local meta = call('HMGET', key, 'attempt', stream, stream .. '.tail', 'bytes', 'truncated')
  if meta[1] ~= job.attempt then
    -- None yet, or that of an attempt that was taken back as unstarted: its number is used again.
    if meta[1] then
      dropOutput(job.ulid, int(job.starts))
      meta = {}
    end
    listOutput(job)
  end
  local stop, tail = tonumber(meta[2]) or 0, tonumber(meta[3]) or 0
  local past = offset + #data
  if past <= stop then
    return stop
  end
  local truncated = meta[5] == '1' or offset > stop
  if offset < stop then
    data = string.sub(data, stop - offset + 1)
    offset = stop
  end
  local added = 0
  if offset < quarter then
    -- Each string that Lua makes costs time for each of its bytes.
    local part = #data <= quarter - offset and data or string.sub(data, 1, quarter - offset)
    redis.call('RPUSH', key .. ':head', chunkEntry(stream, offset, sequence, part))
    data = #part == #data and '' or string.sub(data, #part + 1)
    offset = offset + #part
    added = #part
  end
  if #data > 0 then
    redis.call('RPUSH', key .. ':' .. stream, chunkEntry(stream, offset, sequence, data))
    local excess = math.max(0, tail + #data - (cap - quarter))
    if excess > 0 then
      truncated = true
      trimTail(key .. ':' .. stream, stream, excess)
    end
    tail = tail + #data - excess
    added = added + #data - excess
  end
  local bytes = int((tonumber(meta[4]) or 0) + added)
  if tail == 0 and not truncated then -- it never had either: both only grow
    call('HSET', key, 'attempt', job.attempt, stream, int(past), 'bytes', bytes)
  else
    call('HSET', key, 'attempt', job.attempt, stream, int(past), stream .. '.tail', int(tail), 'bytes', bytes, 'truncated',
      truncated and '1' or '')
  end
  outputDelta = outputDelta + added
  push(adds, base .. 'outputs', int(now), member)
  return past
end
