-- What is due goes back into the order, here and nowhere else. Needs includes/pool, includes/record and includes/job.

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
  fetchRecords(due)
  local moved, seq = 0, nil
  for _, ulid in ipairs(due) do
    local job = load(ulid)
    if job and job.state == 'scheduled' then
      moved = moved + 1
      if job.place == '' then
        seq = seq or call('INCRBY', base .. 'seq', #due) - #due
        job.place = int((1000 - job.priority) * PLACES + seq + moved)
      end
      job.state, job.queued, job.due, job.why = 'queued', nowText, '', ''
      save(job)
      push(adds, base .. 'queued', job.place, ulid)
      countBatch(job.batch, 'scheduled', -1)
      countBatch(job.batch, 'queued', 1)
      event('queued', ulid, job.starts, job.worker)
    end
  end
  flushMoves()
  return moved
end
