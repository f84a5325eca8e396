#!lua
-- Queues final jobs again by hand, at a new place and with a fresh allowance of failures and losses; starts and history
-- go on. Not allowed in a full Redis: it makes new work. ARGV[4] and on: ULIDs.
-- failed, cancelled, skipped -> queued.
-- Returns for each: "queued" (now, or by the first sending of this very call), "not_retryable", "not_found".
--- @include pool
--- @include record
--- @include job
local RETRYABLE = { failed = true, cancelled = true, skipped = true }
local operation = client .. ':' .. int(number)

-- The final attempt is shown from the record, which the next one writes over: from now on it is history.
local function keepFinalAttempt(job)
  local key = base .. 'h:' .. job.ulid
  local newest = string.match(redis.call('LINDEX', key, -1) or '', '^%d+')
  if job.starts > 0 and newest ~= int(job.starts) then
    local ended = redis.call('HGET', base .. 'ends', job.ulid) or ''
    redis.call('RPUSH', key, table.concat({ int(job.starts), int(job.fence), job.worker, job.started, job.finished,
      job.state, ended }, '\t'))
    redis.call('LTRIM', key, -HISTORY_LIMIT, -1)
  end
end

local reply = {}
fetchRecords({ unpack(ARGV, 4) })
for i = 4, #ARGV do
  local job = load(ARGV[i])
  if not job then
    reply[#reply + 1] = 'not_found'
  elseif job.op == operation then
    reply[#reply + 1] = 'queued'
  elseif not RETRYABLE[job.state] then
    reply[#reply + 1] = 'not_retryable'
  else
    keepFinalAttempt(job)
    local place = nextPlace(job.priority)
    job.place, job.queued, job.failures, job.losses, job.op = int(place), nowText, 0, 0, operation
    job.cancel, job.finished, job.letter, job.due, job.why = '', '', '', '', ''
    redis.call('HDEL', base .. 'ends', job.ulid)
    move(job, 'queued', place)
    event('queued', job.ulid, job.starts)
    reply[#reply + 1] = 'queued'
  end
end
flush()
return reply
