-- What moves a job: each function takes a job as `load` gave it, moves it completely (index, record, owner, batch,
-- event) and leaves nothing half done. Needs includes/pool. States and transitions: core's TRANSITIONS.
local HISTORY_LIMIT = 20
local DEFAULT_RETAIN_MS = 604800000
local DEFAULT_MAX_LOSSES = 5
local PLACES = 4398046511104 -- 2^42 places within one priority

-- The job as a table, or nil. Numbers are numbers; `rule` is decoded. Written out field by field: with loops it was most
-- of what a script took.
local function load(ulid)
  local key = jobKey(ulid)
  local v = redis.call('HMGET', key, 'state', 'rule', 'priority', 'place', 'attempt', 'session', 'worker',
    'epoch', 'fence', 'starts', 'failures', 'losses', 'started', 'cancel', 'due', 'op', 'closed', 'outputs')
  if not v[1] then
    return nil
  end
  local rule = ruleOf(v[2])
  return { ulid = ulid, key = key, state = v[1], rule = rule, batch = rule.batchId, priority = tonumber(v[3]) or 0,
    place = v[4] or '', attempt = v[5] or '', session = v[6] or '', worker = v[7] or '', epoch = tonumber(v[8]) or 0,
    fence = tonumber(v[9]) or 0, starts = tonumber(v[10]) or 0, failures = tonumber(v[11]) or 0,
    losses = tonumber(v[12]) or 0, started = v[13] or '', cancel = v[14] or '', due = v[15] or '', op = v[16] or '',
    closed = v[17] or '', outputs = v[18] or '' }
end

local function nextPlace(priority)
  return (1000 - priority) * PLACES + redis.call('INCR', base .. 'seq')
end

-- Out of the index and owner of its state, into those of `state` with `score`; then writes the record's fields.
local function move(job, state, score, ...)
  push(removals, base .. job.state, job.ulid)
  if job.state == 'running' then
    push(removals, base .. 's:' .. job.session, job.ulid)
    if job.cancel ~= '' then
      redis.call('HDEL', base .. 'orders', job.ulid)
    end
  end
  push(adds, base .. state, int(score), job.ulid)
  countBatch(job.batch, job.state, -1)
  countBatch(job.batch, state, 1)
  if job.closing then
    redis.call('HSET', job.key, 'state', state, 'closed', job.attempt, ...)
  else
    redis.call('HSET', job.key, 'state', state, ...)
  end
  job.state = state
end

-- Whether this attempt may end the job's run: 'held', 'repeated' (the last one that was closed by its own report), or
-- 'stale'. Marks a held one, so that the move to come notes it as closed. `by`: the session that says so, or ''.
local function close(job, attempt, fence, by)
  if not job or job.attempt ~= attempt or job.fence ~= fence then
    return 'stale'
  elseif by ~= '' and job.session ~= by then
    return 'stale' -- it is another's: who knows its name must not end it
  elseif job.state ~= 'running' then
    return job.closed == attempt and 'repeated' or 'stale'
  end
  job.closing = true
  return 'held'
end

-- Notes an attempt that ended without ending the job: tab-separated start, fence, worker, time of start, time of end,
-- outcome and `detail`, which is JSON: an AttemptEnd, or an object with `reason`. (What a finished job ended with is in
-- its record.)
local function remember(job, outcome, detail)
  local key = base .. 'h:' .. job.ulid
  redis.call('RPUSH', key, table.concat({ int(job.starts), int(job.fence), job.worker, job.started, nowText, outcome,
    detail }, '\t'))
  if job.starts > HISTORY_LIMIT then
    redis.call('LTRIM', key, -HISTORY_LIMIT, -1)
  end
end

-- To a final state. `ended` is an AttemptEnd as JSON, or '' when no attempt ended.
local function finish(job, state, ended)
  local expires = now + (job.rule.retainMs or DEFAULT_RETAIN_MS)
  local start, worker = job.starts, job.state == 'running' and job.worker or nil
  move(job, state, expires, 'finished', nowText, 'end', ended)
  event(state, job.ulid, start, worker)
end

-- Back into the order: at its old place, or at a new one when it has none.
local function enqueueAgain(job, kind)
  local place = job.place ~= '' and tonumber(job.place) or nextPlace(job.priority)
  move(job, 'queued', place, 'place', int(place), 'queued', nowText)
  event(kind, job.ulid, job.starts, job.worker)
end

-- Waits until `due`. `why`: delay, backoff (both get a new place when due) or loss (keeps its old one).
local function postpone(job, due, why, kind)
  local place = why == 'loss' and job.place or ''
  move(job, 'scheduled', due, 'due', int(due), 'why', why, 'place', place)
  event(kind, job.ulid, job.starts, job.worker, int(due))
end

-- The worker was lost with it: counted, bounded, parted from what ran beside it (a random wait from the second loss on).
-- `reason` is a short word or sentence without tabs; `random` is in [0, 1).
local function lose(job, reason, random)
  local losses = job.losses + 1
  remember(job, 'lost', cjson.encode({ reason = reason }))
  redis.call('HSET', job.key, 'losses', losses)
  job.losses = losses
  if job.cancel ~= '' then
    finish(job, 'cancelled', '')
  elseif losses >= (job.rule.maxWorkerLosses or DEFAULT_MAX_LOSSES) then
    finish(job, 'failed', '{"exitCode":null,"signal":null,"failure":' .. cjson.encode({ reason = 'worker_lost',
      message = 'lost its worker ' .. losses .. ' times, the limit (maxWorkerLosses); last: ' .. reason }) ..
      ',"output":{"stdoutBytes":0,"stderrBytes":0,"truncated":false}}')
  elseif losses >= 2 then
    local most = math.min(30, 2 ^ (losses - 2)) * 1000
    postpone(job, now + math.floor(random * most), 'loss', 'reassigned')
  else
    enqueueAgain(job, 'reassigned')
  end
end

-- Given back for free. What never started is not counted as a start and leaves no entry.
local function release(job, started, reason)
  if started then
    remember(job, 'returned', cjson.encode({ reason = reason }))
  else
    job.starts = job.starts - 1
    redis.call('HSET', job.key, 'starts', job.starts)
  end
  if job.cancel ~= '' then
    finish(job, 'cancelled', '')
  else
    enqueueAgain(job, 'returned')
  end
end
