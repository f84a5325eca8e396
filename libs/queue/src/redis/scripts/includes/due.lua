-- What is due goes back into the order, here and nowhere else. Needs includes/pool and includes/job.

-- At most `limit`, in order of due time; what was delayed gets its place in the order now. Answers how many moved.
local function promoteDue(limit)
  local moved = 0
  for _, ulid in ipairs(redis.call('ZRANGE', base .. 'scheduled', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, limit)) do
    local job = load(ulid)
    if job and job.state == 'scheduled' then
      enqueueAgain(job, 'queued')
      moved = moved + 1
    else
      push(removals, base .. 'scheduled', ulid)
    end
  end
  flushMoves()
  return moved
end

-- Milliseconds until the next job is due, 0 when one is already, '' when none waits.
local function nextDueIn()
  local first = redis.call('ZRANGE', base .. 'scheduled', 0, 0, 'WITHSCORES')
  return first[2] and math.max(0, tonumber(first[2]) - now) or ''
end
