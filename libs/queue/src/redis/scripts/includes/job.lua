-- What moves a job: each function takes a job as `load` gave it, moves it completely (index, record, owner, batch,
-- event) and leaves nothing half done. Needs includes/pool and includes/record. States and transitions: core's TRANSITIONS.
local HISTORY_LIMIT = 20
local DEFAULT_MAX_LOSSES = 5
local PLACES = 4398046511104 -- 2^42 places within one priority

local function nextPlace(priority)
  return (1000 - priority) * PLACES + redis.call('INCR', base .. 'seq')
end

-- Out of the index of its state, into that of `state` with `score`; what runs has an owner instead. Writes the record with whatever else was
-- set in the table. `holder`: fields of who has it from now on.
local function move(job, state, score, holder)
  if job.state ~= 'running' then
    push(removals, base .. job.state, job.ulid)
  else
    runningMore = runningMore - 1
    push(removals, base .. 's:' .. job.session, job.ulid)
    if job.cancel ~= '' then
      redis.call('HDEL', base .. 'orders', job.ulid)
    end
  end
  if state == 'running' then
    runningMore = runningMore + 1
  else
    push(adds, base .. state, int(score), job.ulid)
  end
  countBatch(job.batch, job.state, -1)
  countBatch(job.batch, state, 1)
  if job.closing then
    job.closed = job.attempt
  end
  job.state = state
  for name, value in pairs(holder or {}) do
    job[name] = value
  end
  save(job)
end

-- Whether this attempt may end the job's run: 'held', 'repeated' (the last one that was closed by its own report), or
-- 'stale'. Marks a held one, so that the move to come notes it as closed. `by`: the session that says so, or ''.
local function close(job, attempt, fence, by)
  if not job or job.attempt ~= attempt or job.fence ~= fence then
    return 'stale'
  elseif by ~= '' and job.session ~= by then
    return 'stale' -- it is another's: who knows its name must not end it
  elseif job.state ~= 'running' then
    return (job.closed == attempt or job.state == 'succeeded') and 'repeated' or 'stale'
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

-- To a final state. `ended` is an AttemptEnd: JSON, or its letter (settle.lua); '' when no attempt ended.
local function finish(job, state, ended)
  local expires = now + (job.rule.retainMs or DEFAULT_RETAIN_MS)
  local start, worker = job.starts, job.state == 'running' and job.worker or nil
  job.finished, job.letter = nowText, keepEnd(job.ulid, ended)
  move(job, state, expires)
  event(state, job.ulid, start, worker)
end

-- Back into the order: at its old place, or at a new one when it has none.
local function enqueueAgain(job, kind)
  local place = job.place ~= '' and tonumber(job.place) or nextPlace(job.priority)
  job.place, job.queued = int(place), nowText
  move(job, 'queued', place)
  event(kind, job.ulid, job.starts, job.worker)
end

-- Waits until `due`. `why`: delay, backoff (both get a new place when due) or loss (keeps its old one).
local function postpone(job, due, why, kind)
  job.due, job.why = int(due), why
  if why ~= 'loss' then
    job.place = ''
  end
  move(job, 'scheduled', due)
  event(kind, job.ulid, job.starts, job.worker, int(due))
end

-- The worker was lost with it: counted, bounded, parted from what ran beside it (a random wait from the second loss on).
-- `reason` is a short word or sentence without tabs; `random` is in [0, 1).
local function lose(job, reason, random)
  local losses = job.losses + 1
  remember(job, 'lost', cjson.encode({ reason = reason }))
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
  end
  if job.cancel ~= '' then
    finish(job, 'cancelled', '')
  else
    enqueueAgain(job, 'returned')
  end
end
