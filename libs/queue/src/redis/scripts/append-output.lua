#!lua flags=allow-oom
-- Keeps captured output of attempts that hold their job, each byte once. Allowed in a full Redis, because a command's
-- end is reported behind its output; what a job can write there is bounded by its cap.
-- ARGV[4] cap in bytes for each stream · then for each chunk: ULID, attempt id, fence, "stdout" or "stderr", offset,
-- sequence, bytes. No state changes.
-- Returns for each chunk two values: "stored" and the offset below which everything is stored, "lost" and 0 (its claim is
-- in a lost tail: to be sent again when its worker has said that it holds it), or "stale" and 0.
--- @include pool
--- @include lost
--- @include output
local cap = num()
local holders, reply = {}, {}
for _ = 1, (#ARGV - 4) / 7 do
  local ulid, attempt, fence, stream, offset, sequence, data = arg(), arg(), num(), arg(), num(), arg(), arg()
  local job = holders[ulid]
  if not job then
    local v = redis.call('HMGET', jobKey(ulid), 'state', 'attempt', 'starts', 'outputs', 'fence', 'session')
    job = { ulid = ulid, state = v[1], attempt = v[2], starts = tonumber(v[3]) or 0, outputs = v[4] or '',
      fence = tonumber(v[5]) or 0, session = v[6] or '' }
    holders[ulid] = job
  end
  if job.state == 'running' and job.attempt == attempt then
    reply[#reply + 1] = 'stored'
    reply[#reply + 1] = appendChunk(job, stream, offset, sequence, data, cap)
  elseif isLost(job, fence) then
    reply[#reply + 1] = 'lost'
    reply[#reply + 1] = 0
  else
    reply[#reply + 1] = 'stale'
    reply[#reply + 1] = 0
  end
end
flushOutput()
flush()
return reply
