-- Adoption (ownership.md, "Gates"): what a lost tail took, from those who have it. Needs includes/pool, includes/record and
-- includes/job.
--- @include lost

-- From queued, scheduled or another holder to running: under this attempt. Sent at once: the job may move again.
local function adopt(job, attempt, fence, session, worker, epoch, start)
  flushMoves()
  local starts = math.max(job.starts + 1, start)
  move(job, 'running', now, { attempt = attempt, fence = fence, session = session, worker = worker, epoch = epoch,
    starts = starts, started = nowText })
  push(adds, base .. 's:' .. session, redis.call('INCR', base .. 'seq'), job.ulid)
  flushMoves()
  if job.cancel ~= '' then
    redis.call('HSET', base .. 'orders', job.ulid, 'cancel')
  end
  event('adopted', job.ulid, starts, worker, session)
end
