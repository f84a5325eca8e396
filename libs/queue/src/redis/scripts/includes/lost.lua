-- What a lost tail took (ownership.md, "Gates"). Needs includes/pool.

-- Whether the store lost a tail in which this attempt of `session` (nil: of whom is not known) began. Fences grow within
-- a job, so a higher one than the stored began after all that is stored. An equal one was closed. A job that runs at
-- somebody else's is adopted, too, as long as that one has not confirmed it since, or is `unsure` of it (frozen): what it
-- had is proved to be over, and were this attempt told `gone` instead, the job would be queued again while it still runs.
-- Only what can have been claimed before the pool changed servers (a fence is a time): nobody may take a job at will by
-- naming a high fence, nor make one that nobody can count beyond.
local CLOCKS_APART = 60000 -- of the two servers
local function isLost(job, fence, session)
  if not job or fence <= job.fence then
    return false -- nearly always; asking for the server takes as long as all the rest
  end
  local changed = server ~= runId()
  local movedAt = changed and now or recovered
  if not movedAt or fence > movedAt + CLOCKS_APART then
    return false
  elseif job.state == 'queued' or job.state == 'scheduled' then
    return true
  end
  return job.state == 'running' and (job.session == session or changed or
    redis.call('SISMEMBER', base .. 'awaited', job.session) == 1 or
    redis.call('SISMEMBER', base .. 'unsure', job.ulid) == 1)
end
