#!lua flags=allow-oom
-- Cancels jobs. ARGV[4] and on: ULIDs.
-- blocked, scheduled, queued -> cancelled. running: the time of the request is kept and its worker is to be told (`orders`).
-- A second sending of the call writes nothing: what it finds waiting or running without a request was retried meanwhile.
-- Returns for each: "cancelled" (now or before), "requested" (now or before), "final" (ended otherwise), "not_found".
--- @include pool
--- @include record
--- @include job
local FINAL = { succeeded = true, failed = true, skipped = true }
local reply = {}
fetchRecords({ unpack(ARGV, 4) })
for i = 4, #ARGV do
  local job = load(ARGV[i])
  if not job then
    reply[#reply + 1] = 'not_found'
  elseif FINAL[job.state] then
    reply[#reply + 1] = 'final'
  elseif job.state == 'running' then
    if job.cancel == '' and not repeated then
      job.cancel = nowText
      save(job)
      redis.call('HSET', base .. 'orders', job.ulid, 'cancel')
      event('cancel', job.ulid, job.starts, job.worker, job.session)
    end
    reply[#reply + 1] = 'requested'
  else
    if job.state ~= 'cancelled' and not repeated then
      job.cancel = nowText
      finish(job, 'cancelled', '')
    end
    reply[#reply + 1] = 'cancelled'
  end
end
flush()
return reply
