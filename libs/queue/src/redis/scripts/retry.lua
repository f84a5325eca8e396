#!lua
-- Queues final jobs again by hand, at a new place and with a fresh allowance of failures and losses; starts and history
-- go on. Not allowed in a full Redis: it makes new work. ARGV[4] and on: ULIDs.
-- failed, cancelled, skipped -> queued.
-- Returns for each: "queued" (now, or by the first sending of this very call), "not_retryable", "not_found".
--- @include pool
--- @include job
local RETRYABLE = { failed = true, cancelled = true, skipped = true }
local operation = client .. ':' .. int(number)

-- The final attempt is shown from the record's fields, which the next one writes over: from now on it is history.
local function keepFinalAttempt(job)
  local key = base .. 'h:' .. job.ulid
  local newest = string.match(redis.call('LINDEX', key, -1) or '', '^%d+')
  if job.starts > 0 and newest ~= int(job.starts) then
    local v = redis.call('HMGET', jobKey(job.ulid), 'finished', 'end')
    redis.call('RPUSH', key, table.concat({ int(job.starts), int(job.fence), job.worker, job.started, v[1] or '', job.state,
      v[2] or '' }, '\t'))
    redis.call('LTRIM', key, -HISTORY_LIMIT, -1)
  end
end

local reply = {}
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
    move(job, 'queued', place, 'place', int(place), 'queued', int(now), 'failures', '0', 'losses', '0', 'op', operation,
      'cancel', '', 'end', '', 'finished', '', 'due', '', 'why', '')
    event('queued', job.ulid, job.starts)
    reply[#reply + 1] = 'queued'
  end
end
flush()
return reply
