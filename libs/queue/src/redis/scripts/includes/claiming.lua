-- Claims, for claim and turn. Needs includes/pool, includes/job, includes/due and includes/recovery.

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
      want.place = ' ' .. want.index
      want.line = ' ' .. (want.worker ~= '' and want.worker or '-') .. ' ' .. want.session
      wants[#wants + 1] = want
    else
      refused[#refused + 1] = want.index
    end
  end

  -- Whom the next job goes to, in turn; the turn begins anywhere (by the claim's random id). Free slots before prefetch:
  -- the first `freeSlots` targets.
  local turn = tonumber(string.sub(claim, 1, 6), 16) or 0
  local targets = {}
  local function addTargets(field)
    local left = {}
    for i = 1, #wants do
      left[i] = wants[(i + turn) % #wants + 1]
    end
    local round = 1
    while #left > 0 and #targets < most do
      local more = {}
      for _, want in ipairs(left) do
        if want[field] >= round and #targets < most then
          targets[#targets + 1] = want
          more[#more + 1] = want
        end
      end
      left, round = more, round + 1
    end
  end
  for _, want in ipairs(wants) do
    want.free = math.min(want.free, want.max)
    want.prefetch = want.max - want.free
  end
  addTargets('free')
  local freeSlots = #targets
  addTargets('prefetch')

  promoteDue(most)

  -- Walks the head of the queue. What may not be prefetched is passed over, within bounds, so that it blocks nobody.
  local LOOK_AHEAD = 250
  local again = {}
  local named, specs = {}, {}
  local given, bytes, looked, walking, taken = 0, 0, 0, true, {}
  local running = listOf(adds, base .. 'running')
  while walking and given < #targets and looked < #targets + LOOK_AHEAD do
    local size = #targets - given
    local heads = call('ZRANGE', base .. 'queued', looked, looked + size - 1)
    looked = looked + #heads
    walking = #heads == size
    for _, ulid in ipairs(heads) do
      local key = jobKey(ulid)
      local v = call('HMGET', key, 'state', 'rule', 'fence', 'spec')
      if v[1] ~= 'queued' then
        taken[#taken + 1] = ulid -- in the index, but not in its record: nobody would ever take it out
      elseif given < freeSlots or not v[3] or (tonumber(call('HGET', key, 'losses')) or 0) < 2 then
        local spec = v[4]
        if given > 0 and bytes + #spec > mostBytes then
          walking = false
          break
        end
        bytes = bytes + #spec
        local want = targets[given + 1]
        local fence, start = nowText, '1'
        if v[3] then -- it was claimed before
          local number = math.max((tonumber(v[3]) or 0) + 1, now)
          local starts = (tonumber(call('HGET', key, 'starts')) or 0) + 1
          fence, start = int(number), int(starts)
          local n = #again
          again[n + 1], again[n + 2], again[n + 3] = given, number, starts
        end
        local batch = ruleOf(v[2]).batchId
        if batch then
          countBatch(batch, 'queued', -1)
          countBatch(batch, 'running', 1)
        end
        call('HSET', key, 'state', 'running', 'attempt', claim .. '.' .. given, 'session', want.session, 'worker',
          want.worker, 'epoch', want.epoch, 'fence', fence, 'starts', start, 'started', nowText)
        taken[#taken + 1] = ulid
        local jobs = want.jobs
        local last = #jobs
        jobs[last + 1], jobs[last + 2] = given, ulid
        running[2 * given + 1], running[2 * given + 2] = nowText, ulid
        given = given + 1
        lines[#lines + 1] = 'started ' .. ulid .. ' ' .. start .. want.line
        if string.find(spec, '\n', 1, true) then
          spec = string.gsub(spec, '\n', ' ') -- we write none; in JSON it can only be white space, and would part this answer
        end
        named[given], specs[given] = ulid .. want.place, spec
      end
    end
  end

  removals[base .. 'queued'] = taken
  if given > 0 then
    local seq = call('INCRBY', base .. 'seq', given) - given + 1
    for session, jobs in pairs(owned) do
      for i = 1, #jobs, 2 do
        jobs[i] = format('%d', seq + jobs[i])
      end
      adds[base .. 's:' .. session] = jobs
    end
  end
  return { 0, '', refused, recovery, now, again, table.concat(named, '\n'), table.concat(specs, '\n') }
end

-- What is left, after all that was claimed is out of the queue.
local function noteQueue(reply)
  reply[1], reply[2] = redis.call('ZCARD', base .. 'queued'), nextDueIn()
end
