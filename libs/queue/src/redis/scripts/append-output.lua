#!lua flags=allow-oom
-- Keeps captured output of attempts that hold their job, each byte once. Allowed in a full Redis, because a command's
-- end is reported behind its output; what a job can write there is bounded by its cap.
-- ARGV[4] cap in bytes for each stream · then for each chunk: ULID, attempt id, "stdout" or "stderr", offset, sequence,
-- bytes. No state changes.
-- Returns for each chunk two values: "stored" and the offset below which everything is stored, or "stale" and 0.
--- @include pool
--- @include output
local cap = num()
local holders, reply = {}, {}
for _ = 1, (#ARGV - 4) / 6 do
  local ulid, attempt, stream, offset, sequence, data = arg(), arg(), arg(), num(), arg(), arg()
  local job = holders[ulid]
  if not job then
    local v = redis.call('HMGET', jobKey(ulid), 'state', 'attempt', 'starts', 'outputs')
    job = { ulid = ulid, held = v[1] == 'running', attempt = v[2], starts = tonumber(v[3]) or 0, outputs = v[4] or '' }
    holders[ulid] = job
  end
  if job.held and job.attempt == attempt then
    reply[#reply + 1] = 'stored'
    reply[#reply + 1] = appendChunk(job, stream, offset, sequence, data, cap)
  else
    reply[#reply + 1] = 'stale'
    reply[#reply + 1] = 0
  end
end
flushOutput()
flush()
return reply
