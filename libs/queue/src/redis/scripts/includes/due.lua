-- What is due goes back into the order, here and nowhere else. Needs includes/pool and includes/job.

-- Milliseconds until the next job is due, 0 when one is already, '' when none waits. Known after the first asking, as long
-- as nothing is due.
local dueIn
local function nextDueIn()
  if not dueIn then
    local first = call('ZRANGE', base .. 'scheduled', 0, 0, 'WITHSCORES')
    dueIn = first[2] and math.max(0, tonumber(first[2]) - now) or ''
  end
  return dueIn
end

-- At most `limit`, in order of due time; what was delayed gets its place in the order now. Answers how many moved.
local function promoteDue(limit)
  if nextDueIn() ~= 0 then
    return 0
  end
  dueIn = nil
  local due = call('ZRANGE', base .. 'scheduled', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, limit)
  removals[base .. 'scheduled'] = due
  local moved, seq = 0, nil
  for _, ulid in ipairs(due) do
    local key = jobKey(ulid)
    local v = call('HMGET', key, 'state', 'priority', 'place', 'rule', 'starts', 'worker')
    if v[1] == 'scheduled' then
      moved = moved + 1
      local place = v[3]
      if not place or place == '' then
        seq = seq or call('INCRBY', base .. 'seq', #due) - #due
        place = int((1000 - (tonumber(v[2]) or 0)) * PLACES + seq + moved)
      end
      call('HSET', key, 'state', 'queued', 'place', place, 'queued', nowText)
      push(adds, base .. 'queued', place, ulid)
      local batch = ruleOf(v[4]).batchId
      countBatch(batch, 'scheduled', -1)
      countBatch(batch, 'queued', 1)
      event('queued', ulid, v[5] or 0, v[6])
    end
  end
  flushMoves()
  return moved
end
