-- Ends of attempts, for settle and turn. Needs includes/pool, includes/record, includes/job, includes/adopt and
-- includes/output.
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
  job.failures = failures
  if retryable and job.cancel == '' and failures < (job.rule.attempts or 1) and not isFinalExit(job, exitCode) then
    remember(job, 'failed', ended)
    postpone(job, now + backoff(job, failures, random), 'backoff', 'retrying')
  else
    finish(job, 'failed', ended)
  end
end

-- Reads the chunks of an attempt in any case, since others follow them.
local cap
local function takeOutput(job, count)
  for _ = 1, count do
    local stream, offset, sequence, data = arg(), num(), arg(), arg()
    if job then
      appendChunk(job, stream, offset, sequence, data, cap)
    end
  end
end

-- Nearly all attempts succeed, hold their job and have no output: what that takes and nothing else, with one line added to
-- the record. Answers whether it was so; if not, nothing was written.
local defaultExpiry = int(now + DEFAULT_RETAIN_MS)
local succeededKey, succeededNow = base .. 'succeeded', 'succeeded ' .. nowText
local tails = {} -- how the events of a worker's jobs end
local succeededOf = {} -- how many of each batch
local ordered = {} -- ULIDs of which no order is needed any more
local function succeed(ulid, attempt, fence, kind, ended)
  local text = records[ulid]
  if kind.outcome ~= 'succeeded' or kind.chunks > 0 or not text then
    return false
  end
  local at = find(text, '\n', 1, true) or 0
  local its, itsFence, session, worker, starts =
    match(text, '^running (%S+) (%S+) (%S+) (%S+) %S+ (%S+) %S+\n$', at + 1)
  if its ~= attempt or itsFence ~= fence or (kind.by ~= '' and kind.by ~= session) then
    return false
  end
  local rule = ruleIn(text)
  local batch = rule.batchId
  if batch then
    succeededOf[batch] = (succeededOf[batch] or 0) + 1
  end
  runningMore = runningMore - 1
  push(removals, ownedBy(session), ulid)
  push(adds, succeededKey, rule.retainMs and int(now + rule.retainMs) or defaultExpiry, ulid)
  ordered[#ordered + 1] = ulid
  writeRecord(ulid, text .. succeededNow .. keepEnd(ulid, ended) .. '\n')
  local tail = starts == '1' and tails[worker] or ' ' .. starts .. ' ' .. worker
  tails[worker] = starts == '1' and tail or nil
  line('succeeded ', ulid, tail)
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

-- All of a call, from the cap of output to the last chunk, as the header of settle.lua says. Answers the reply.
-- `flushOutput` and `flush` have to follow.
local function settleAll()
  local kinds, ends, reply = {}, {}, {}
  cap = num()
  for i = 1, num() do
    kinds[i] = { by = arg(), session = arg(), worker = arg(), start = num(), outcome = arg(), chunks = num() }
  end
  for i = 1, num() do
    ends[i] = arg()
  end
  local ulids, attempts, fences, itsKinds, itsEnds, count = {}, {}, {}, {}, {}, 0
  for ulid, attempt, fence, kind, ended in string.gmatch(arg(), '(%S+) (%S+) (%S+) (%S+) (%S+)\n') do
    count = count + 1
    ulids[count], attempts[count], fences[count] = ulid, attempt, fence
    itsKinds[count], itsEnds[count] = kinds[tonumber(kind)], ends[tonumber(ended)]
  end
  fetchRecords(ulids)
  for i = 1, count do
    if not succeed(ulids[i], attempts[i], fences[i], itsKinds[i], itsEnds[i]) then
      local verdict = settle(ulids[i], attempts[i], tonumber(fences[i]), itsKinds[i], itsEnds[i])
      if verdict ~= 'accepted' then
        reply[#reply + 1] = i - 1
        reply[#reply + 1] = verdict
      end
    end
  end
  for batch, n in pairs(succeededOf) do
    countBatch(batch, 'running', -n)
    countBatch(batch, 'succeeded', n)
  end
  if #ordered > 0 and call('EXISTS', base .. 'orders') == 1 then
    call('HDEL', base .. 'orders', unpack(ordered))
  end
  return reply
end
