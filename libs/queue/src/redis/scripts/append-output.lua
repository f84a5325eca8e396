#!lua flags=allow-oom
-- Keeps captured output of attempts that hold their job, each byte once. Allowed in a full Redis, because a command's
-- end is reported behind its output; what a job can write there is bounded by its cap.
-- ARGV[4] cap in bytes for each stream, ARGV[5], [6] session and worker whose output it is ('' = not said) · then for each chunk: ULID, attempt id, fence, "stdout" or "stderr", offset,
-- sequence, bytes. No state changes.
-- Returns for each chunk two values: "stored" and the offset below which everything is stored, "lost" and 0 (its claim is
-- in a lost tail: to be sent again when its worker has said that it holds it), "stale" and 0, or "foreign" and 0: the
-- attempt holds its job, and is another session's.
--- @include pool
--- @include record
--- @include lost
--- @include output
local cap, session, worker = num(), arg(), arg()
local holders, reply = {}, {}
for _ = 1, (#ARGV - 6) / 7 do
  local ulid, attempt, fence, stream, offset, sequence, data = arg(), arg(), num(), arg(), num(), arg(), arg()
  local job = holders[ulid]
  if not job then
    job = load(ulid)
    holders[ulid] = job
  end
  local isHeld = job and job.state == 'running' and job.attempt == attempt
  if isHeld and (session ~= '' and session ~= job.session or worker ~= '' and worker ~= job.worker) then
    reply[#reply + 1] = 'foreign'
    reply[#reply + 1] = 0
  elseif isHeld then
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
