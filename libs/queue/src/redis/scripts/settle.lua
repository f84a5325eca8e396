#!lua flags=allow-oom
-- Ends attempts: results are accepted from the attempt that holds the job and from no other. Known again by its state.
-- A result from a lost tail adopts the job and ends it in one step.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] cap of output in bytes for each stream,
--   ARGV[5] number of kinds of reports (most have the same), then for each: session that reports it or '', session that
--   ran it or '', its worker, number of the start or 0, outcome (succeeded | failed | cancelled), number of chunks of
--   output; then the number of attempts, then for each: ULID, attempt, fence, position of its kind from 1, end
--   (AttemptEnd as JSON); for a failed one 1 when it may be retried, 1 when it was frozen once, exit code or '', a random
--   number in [0, 1); then for each chunk: "stdout" or "stderr", offset, sequence, bytes. Chunks are kept like those of
--   append-output, with an accepted end only.
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
local cap = num()
local function takeOutput(job, count)
  for _ = 1, count do
    local stream, offset, sequence, data = arg(), num(), arg(), arg()
    if job then
      appendChunk(job, stream, offset, sequence, data, cap)
    end
  end
end

-- Nearly all attempts succeed and hold their job: what that takes and nothing else, `finish` and `move` written out.
-- Answers whether it was so; if not, nothing was written, and none of its chunks read from ARGV.
local defaultExpiry = int(now + DEFAULT_RETAIN_MS)
local function succeed(ulid, attempt, fence, kind, ended)
  local key = jobKey(ulid)
  local v = kind.chunks == 0 and
    call('HMGET', key, 'state', 'attempt', 'fence', 'session', 'rule', 'worker', 'starts', 'cancel') or
    call('HMGET', key, 'state', 'attempt', 'fence', 'session', 'rule', 'worker', 'starts', 'cancel', 'outputs')
  local session, worker, starts = v[4], v[6], v[7]
  if v[1] ~= 'running' or v[2] ~= attempt or v[3] ~= fence or (kind.by ~= '' and kind.by ~= session) then
    return false
  end
  local rule = ruleOf(v[5])
  countBatch(rule.batchId, 'running', -1)
  countBatch(rule.batchId, 'succeeded', 1)
  push(removals, base .. 'running', ulid)
  push(removals, base .. 's:' .. session, ulid)
  push(adds, base .. 'succeeded', rule.retainMs and int(now + rule.retainMs) or defaultExpiry, ulid)
  if v[8] and v[8] ~= '' then
    call('HDEL', base .. 'orders', ulid)
  end
  if kind.chunks == 0 then
    call('HSET', key, 'state', 'succeeded', 'closed', attempt, 'finished', nowText, 'end', ended)
  else
    local job = { ulid = ulid, attempt = attempt, starts = tonumber(starts), outputs = v[9] or '', written = true }
    takeOutput(job, kind.chunks)
    call('HSET', key, 'state', 'succeeded', 'closed', attempt, 'finished', nowText, 'end', ended, 'outputs', job.outputs)
  end
  lines[#lines + 1] = 'succeeded ' .. ulid .. ' ' .. starts .. ' ' .. (worker ~= '' and worker or '-')
  return true
end

-- All other ends. Answers the verdict.
local function settle(ulid, attempt, fence, kind, ended)
  local retryable, wasFrozen, exitCode, random
  if kind.outcome == 'failed' then
    retryable, wasFrozen, exitCode, random = arg() == '1', arg() == '1', num(), num()
  end
  local job = load(ulid)
  if kind.session ~= '' and isLost(job, fence, kind.session) then
    adopt(job, attempt, fence, kind.session, kind.worker, job.epoch, kind.start)
  end
  local verdict = close(job, attempt, fence, kind.by)
  takeOutput(verdict == 'held' and job, kind.chunks)
  if verdict ~= 'held' then
    return verdict
  elseif kind.outcome ~= 'failed' then
    finish(job, kind.outcome, ended)
  elseif wasFrozen then
    lose(job, 'failed after it had been frozen', random)
  else
    fail(job, retryable, exitCode, ended, random)
  end
  return 'accepted'
end

local kinds, reply = {}, {}
for i = 1, num() do
  kinds[i] = { by = arg(), session = arg(), worker = arg(), start = num(), outcome = arg(), chunks = num() }
end
for i = 1, num() do
  local at = cursor
  local ulid, attempt, fence, kind, ended = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], kinds[tonumber(ARGV[at + 4])],
    ARGV[at + 5]
  cursor = at + 5
  reply[i] = kind.outcome == 'succeeded' and succeed(ulid, attempt, fence, kind, ended) and 'accepted' or
    settle(ulid, attempt, tonumber(fence), kind, ended)
end

flushOutput()
flush()
return reply
