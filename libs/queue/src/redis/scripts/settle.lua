#!lua flags=allow-oom
-- Ends attempts: results are accepted from the attempt that holds the job and from no other. Known again by its state.
-- A result from a lost tail adopts the job and ends it in one step.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] cap of output in bytes for each stream,
--   ARGV[5] number of attempts, then for each:
--   ULID, attempt, fence, session that reports it or '', session that ran it or '', its worker, number of the start or 0,
--   outcome (succeeded | failed | cancelled), 1 when it may be retried, 1 when it was frozen once,
--   exit code or '', end (AttemptEnd as JSON), a random number in [0, 1), number of chunks of output, then for each:
--   "stdout" or "stderr", offset, sequence, bytes. Kept like those of append-output, with an accepted end only.
-- Returns for each: accepted | repeated | stale.
-- States: running -> succeeded | failed | cancelled; a failure with attempts left -> scheduled; a failure of what was
--   frozen counts as a loss: running -> queued | scheduled | failed | cancelled. Adopted: queued, scheduled -> running.
--- @include pool
--- @include job
--- @include adopt
--- @include output

local DEFAULT_BACKOFF = { type = 'exponential', delayMs = 1000, factor = 2, maxDelayMs = 300000, jitter = 'full' }

-- The wait after the nth failure. Full jitter: between half of it and all of it.
local function backoff(job, n, random)
  local rule = job.rule.backoff or DEFAULT_BACKOFF
  local wait = rule.delayMs
  if rule.type == 'linear' then
    wait = wait * n
  elseif rule.type == 'exponential' and wait > 0 then
    wait = wait * rule.factor ^ (n - 1)
  end
  wait = math.min(wait, rule.maxDelayMs)
  return math.floor(rule.jitter == 'full' and wait / 2 + random * wait / 2 or wait)
end

local function isFinalExit(job, exitCode)
  for _, code in ipairs(job.rule.noRetryExitCodes or {}) do
    if code == exitCode then
      return true
    end
  end
  return false
end

local function fail(job, retryable, exitCode, ended, random)
  local failures = job.failures + 1
  redis.call('HSET', jobKey(job.ulid), 'failures', failures)
  if retryable and job.cancel == '' and failures < (job.rule.attempts or 1) and not isFinalExit(job, exitCode) then
    remember(job, 'failed', ended)
    postpone(job, now + backoff(job, failures, random), 'backoff', 'retrying')
  else
    finish(job, 'failed', ended)
  end
end

-- Reads the chunks of an attempt in any case, since others follow them.
local function takeOutput(job, cap)
  for _ = 1, num() do
    local stream, offset, sequence, data = arg(), num(), arg(), arg()
    if job then
      appendChunk(job, stream, offset, sequence, data, cap)
    end
  end
end

local cap = num()
local reply = {}
for i = 1, num() do
  local ulid, attempt, fence, by, session, worker = arg(), arg(), num(), arg(), arg(), arg()
  local start, outcome = num(), arg()
  local retryable, wasFrozen, exitCode, ended, random = arg() == '1', arg() == '1', num(), arg(), num()
  local job = load(ulid)
  if session ~= '' and isLost(job, fence, session) then
    adopt(job, attempt, fence, session, worker, job.epoch, start)
  end
  local verdict = close(job, attempt, fence, by)
  takeOutput(verdict == 'held' and job, cap)
  if verdict == 'held' then
    verdict = 'accepted'
    if outcome ~= 'failed' then
      finish(job, outcome, ended)
    elseif wasFrozen then
      lose(job, 'failed after it had been frozen', random)
    else
      fail(job, retryable, exitCode, ended, random)
    end
  end
  reply[i] = verdict
end

flushOutput()
flush()
return reply
