-- Adoption (ownership.md, "Gates"): what a lost tail took, from those who have it. Needs includes/pool and includes/job.

-- Whether the store lost a tail in which this attempt of `session` began. Fences grow within a job, so a higher one than
-- the stored began after all that is stored. An equal one was closed. A job that runs at somebody else's is adopted, too,
-- as long as that one has not confirmed it since: what it had is proved to be over, and were this attempt told `gone`
-- instead, the job would be queued again while it still runs. Only what can have been claimed before the pool changed
-- servers (a fence is a time): nobody may take a job at will by naming a high fence.
local CLOCKS_APART = 60000 -- of the two servers
local function isLost(job, fence, session)
  local changed = server ~= runId()
  if not job or fence <= job.fence or not (changed or (recovered and fence <= recovered + CLOCKS_APART)) then
    return false
  elseif job.state == 'queued' or job.state == 'scheduled' then
    return true
  end
  return job.state == 'running' and (job.session == session or changed or
    redis.call('SISMEMBER', base .. 'awaited', job.session) == 1)
end

-- From queued, scheduled or another holder to running: under this attempt. Sent at once: the job may move again.
local function adopt(job, attempt, fence, session, worker, epoch, start)
  flushMoves()
  local starts = math.max(job.starts + 1, start)
  move(job, 'running', now, 'attempt', attempt, 'fence', int(fence), 'session', session, 'worker', worker, 'epoch',
    int(epoch), 'starts', int(starts), 'started', nowText)
  push(adds, base .. 's:' .. session, redis.call('INCR', base .. 'seq'), job.ulid)
  flushMoves()
  if job.cancel ~= '' then
    redis.call('HSET', base .. 'orders', job.ulid, 'cancel')
  end
  job.attempt, job.fence, job.session, job.worker, job.epoch = attempt, fence, session, worker, epoch
  job.starts, job.started = starts, nowText
  event('adopted', job.ulid, starts, worker, session)
end
