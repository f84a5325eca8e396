-- Claims, for claim and turn. Needs includes/pool, includes/record, includes/job, includes/due and includes/recovery.

-- Reads the rest of ARGV, from the time that a recovery takes, as the header of claim.lua says. Answers the reply, and
-- true where the pool is in recovery. Otherwise `flush` and `noteQueue` have to follow.
local function claimJobs()
  local recovery = recoveryState(num())
  if #recovery > 0 then
    if since and now < since then
      redis.call('HSET', base .. 'calls', 'recovering', nowText)
    end
    return { redis.call('ZCARD', base .. 'queued'), nextDueIn(), {}, recovery }, true
  elseif since then
    redis.call('HDEL', base .. 'calls', 'recovering')
    redis.call('DEL', base .. 'awaited', base .. 'unsure')
  end

  local claim, most, mostBytes = arg(), num(), num()
  local wants, refused = {}, {}
  local owned = {} -- for each session: position and ULID of what it gets
  for i = 1, num() do
    local want = { index = i - 1, session = arg(), worker = arg(), epoch = arg(), max = num(), free = num() }
    if redis.call('HGET', base .. 'gates', want.session) == want.epoch then
      want.jobs = listOf(owned, want.session)
      want.place = ' ' .. want.index .. '\n'
      local worker = want.worker ~= '' and want.worker or '-'
      want.tail = ' ' .. worker .. ' ' .. want.session
      want.line = ' 1' .. want.tail
      want.holder = ' ' .. nowText .. ' ' .. want.session .. ' ' .. worker .. ' ' .. want.epoch .. ' 1 ' .. nowText .. '\n'
      wants[#wants + 1] = want
    else
      refused[#refused + 1] = want.index
    end
  end

  -- Whom the next job goes to. Free slots in turn, and before prefetch: the first `freeSlots` targets. The turn begins
  -- anywhere (by the claim's random id). What is prefetched goes in one piece to whoever wants the most: a frame has its
  -- price, whatever it carries.
  local turn = tonumber(sub(claim, 1, 6), 16) or 0
  local targets = {}
  local left, round = {}, 1
  for i = 1, #wants do
    local want = wants[(i + turn) % #wants + 1]
    left[i], want.turn = want, i
    want.free = math.min(want.free, want.max)
    want.prefetch = want.max - want.free
  end
  while #left > 0 and #targets < most do
    local more = {}
    for _, want in ipairs(left) do
      if want.free >= round and #targets < most then
        targets[#targets + 1] = want
        more[#more + 1] = want
      end
    end
    left, round = more, round + 1
  end
  local freeSlots = #targets
  table.sort(wants, function(a, b)
    return a.prefetch > b.prefetch or a.prefetch == b.prefetch and a.turn < b.turn
  end)
  for _, want in ipairs(wants) do
    for _ = 1, math.min(want.prefetch, most - #targets) do
      targets[#targets + 1] = want
    end
  end

  promoteDue(most)

  -- Walks the head of the queue. What may not be prefetched is passed over, within bounds, so that it blocks nobody.
  local LOOK_AHEAD = 250
  local AGAIN = '\nqueued\n' -- how the record of a queued job ends that was held before; others have their first line only
  local again = {}
  local named, specs = {}, {}
  local given, bytes, looked, walking, taken = 0, 0, 0, true, {}
  local begin = 'running ' .. claim .. '.'
  local startedOf = {} -- how many of each batch
  while walking and given < #targets and looked < #targets + LOOK_AHEAD do
    local size = #targets - given
    local heads = call('ZRANGE', base .. 'queued', looked, looked + size - 1)
    looked = looked + #heads
    walking = #heads == size
    fetchRecords(heads)
    local chosen, read = {}, bytes
    for i = 1, #heads do
      local ulid = heads[i]
      local text = records[ulid]
      local isNew = text and find(text, '\n', 1, true) == #text and find(text, '^%d+ %d+ ')
      if not isNew and not (text and find(text, AGAIN, -#AGAIN, true)) then
        taken[#taken + 1] = ulid -- in the index, but not in its record: nobody would ever take it out
      elseif isNew or given + #chosen < freeSlots or load(ulid).losses < 2 then
        if find(text, 'bytes=', 1, true) then
          read = read + load(ulid).bytes
        end
        if read > mostBytes and given + #chosen > 0 then
          walking = false
          break
        end
        chosen[#chosen + 1] = ulid
      end
    end
    local found = #chosen > 0 and call('HMGET', base .. 'specs', unpack(chosen)) or {}
    for i = 1, #chosen do
      local ulid = chosen[i]
      local text, spec = records[ulid], found[i] or ''
      if given > 0 and bytes + #spec > mostBytes then
        walking = false
        break
      end
      bytes = bytes + #spec
      local want = targets[given + 1]
      local more = want.line
      if find(text, '\n', 1, true) == #text then
        writeRecord(ulid, text .. begin .. given .. want.holder)
      else -- it was claimed before
        local job = load(ulid)
        job.state, job.attempt, job.session, job.worker = 'running', claim .. '.' .. given, want.session, want.worker
        job.epoch, job.fence, job.starts = tonumber(want.epoch), math.max(job.fence + 1, now), job.starts + 1
        job.started, more = nowText, ' ' .. int(job.starts) .. want.tail
        save(job)
        local n = #again
        again[n + 1], again[n + 2], again[n + 3] = given, job.fence, job.starts
      end
      local batch = ruleIn(text).batchId
      if batch then
        startedOf[batch] = (startedOf[batch] or 0) + 1
      end
      taken[#taken + 1] = ulid
      local jobs = want.jobs
      local last = #jobs
      jobs[last + 1], jobs[last + 2] = given, ulid
      named[2 * given + 1], named[2 * given + 2] = ulid, want.place
      given = given + 1
      line('started ', ulid, more)
      if find(spec, '\n', 1, true) then
        spec = string.gsub(spec, '\n', ' ') -- we write none; in JSON it can only be white space, and would part this answer
      end
      specs[given] = spec
    end
  end

  for batch, n in pairs(startedOf) do
    countBatch(batch, 'queued', -n)
    countBatch(batch, 'running', n)
  end
  runningMore = runningMore + given
  removals[base .. 'queued'] = taken
  if given > 0 then
    local seq = call('INCRBY', base .. 'seq', given) - given + 1
    for session, jobs in pairs(owned) do
      for i = 1, #jobs, 2 do
        jobs[i] = format('%d', seq + jobs[i])
      end
      adds[ownedBy(session)] = jobs
    end
  end
  return { 0, '', refused, recovery, now, again, table.concat(named), table.concat(specs, '\n') }
end

-- What is left, after all that was claimed is out of the queue.
local function noteQueue(reply)
  reply[1], reply[2] = redis.call('ZCARD', base .. 'queued'), nextDueIn()
end
