-- What moves a job: each function takes a job as `load` gave it, moves it completely (index, record, owner, batch,
-- event) and leaves nothing half done. Needs includes/pool. States and transitions: core's TRANSITIONS.
local FIELDS = { 'state', 'rule', 'priority', 'place', 'attempt', 'session', 'worker', 'epoch', 'fence', 'starts',
  'failures', 'losses', 'started', 'cancel', 'due', 'op' }
local HISTORY_LIMIT = 20
local DEFAULT_RETAIN_MS = 604800000
local DEFAULT_MAX_LOSSES = 5
local PLACES = 4398046511104 -- 2^42 places within one priority

-- The job as a table, or nil. Numbers are numbers; `rule` is decoded (ours, small; users' JSON never is).
local function load(ulid)
  local v = redis.call('HMGET', jobKey(ulid), unpack(FIELDS))
  if not v[1] then
    return nil
  end
  local job = { ulid = ulid }
  for i, field in ipairs(FIELDS) do
    job[field] = v[i] or ''
  end
  for _, field in ipairs({ 'priority', 'epoch', 'fence', 'starts', 'failures', 'losses' }) do
    job[field] = tonumber(job[field]) or 0
  end
  job.rule = job.rule ~= '' and cjson.decode(job.rule) or {}
  job.batch = job.rule.batchId
  return job
end

local function nextPlace(priority)
  return (1000 - priority) * PLACES + redis.call('INCR', base .. 'seq')
end

local INDEX = { queued = 'queued', scheduled = 'scheduled', running = 'running', succeeded = 'succeeded',
  failed = 'failed', cancelled = 'cancelled', skipped = 'skipped' }

-- Out of the index and owner of its state, into those of `state` with `score`; then writes the record's fields.
local function move(job, state, score, ...)
  push(removals, base .. INDEX[job.state], job.ulid)
  if job.state == 'running' then
    push(removals, base .. 's:' .. job.session, job.ulid)
    if job.cancel ~= '' then
      redis.call('HDEL', base .. 'orders', job.ulid)
    end
  end
  push(adds, base .. INDEX[state], int(score), job.ulid)
  countBatch(job.batch, job.state, -1)
  countBatch(job.batch, state, 1)
  redis.call('HSET', jobKey(job.ulid), 'state', state, ...)
  job.state = state
end

-- Notes the attempt that has just ended in the history. `detail` is JSON made by the caller, or ''.
local function remember(job, outcome, detail)
  local key = base .. 'h:' .. job.ulid
  redis.call('RPUSH', key, table.concat({ int(job.starts), int(job.fence), job.worker, job.started, int(now), outcome,
    detail }, '\t'))
  if job.starts > HISTORY_LIMIT then
    redis.call('LTRIM', key, -HISTORY_LIMIT, -1)
  end
end

-- To a final state. `ended` is an AttemptEnd as JSON, or '' when no attempt ended.
local function finish(job, state, ended)
  local expires = now + (job.rule.retainMs or DEFAULT_RETAIN_MS)
  local start, worker = job.starts, job.state == 'running' and job.worker or nil
  move(job, state, expires, 'finished', int(now), 'end', ended)
  event(state, job.ulid, start, worker)
end

-- Back into the order: at its old place, or at a new one when it has none.
local function enqueueAgain(job, kind)
  local place = job.place ~= '' and tonumber(job.place) or nextPlace(job.priority)
  move(job, 'queued', place, 'place', int(place), 'queued', int(now))
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
  local detail = cjson.encode({ reason = reason })
  redis.call('HSET', jobKey(job.ulid), 'losses', losses)
  if job.cancel ~= '' then
    remember(job, 'lost', detail)
    finish(job, 'cancelled', '')
  elseif losses >= (job.rule.maxWorkerLosses or DEFAULT_MAX_LOSSES) then
    remember(job, 'lost', detail)
    finish(job, 'failed', cjson.encode({ failure = { reason = 'worker_lost',
      message = 'lost its worker ' .. losses .. ' times, the limit (maxWorkerLosses); last: ' .. reason } }))
  else
    remember(job, 'lost', detail)
    if losses >= 2 then
      local most = math.min(30, 2 ^ (losses - 2)) * 1000
      postpone(job, now + math.floor(random * most), 'loss', 'reassigned')
    else
      enqueueAgain(job, 'reassigned')
    end
  end
end

-- Given back for free. What never started is not counted as a start and leaves no entry.
local function release(job, started, reason)
  if started then
    remember(job, 'returned', cjson.encode({ reason = reason }))
  else
    job.starts = job.starts - 1
    redis.call('HSET', jobKey(job.ulid), 'starts', job.starts)
  end
  if job.cancel ~= '' then
    finish(job, 'cancelled', '')
  else
    enqueueAgain(job, 'returned')
  end
end
