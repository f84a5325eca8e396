#!lua flags=allow-oom
-- Gives queued jobs to sessions whose gate is open, in the order of the queue: first one after the other to their free
-- slots, then to their prefetch. Before that it moves what is due. A second sending is refused: STALE_OP. Nothing moves
-- in a pool that is in recovery or has to be put into it; the first claim after that removes its traces.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] ms that a recovery takes at least, ARGV[5] id
--   of this claim (random hex), ARGV[6] the most jobs, ARGV[7] the most bytes of specs (but for a single larger job),
--   ARGV[8] number of wants, then for each: session, worker, epoch, the most jobs, how many of these go to free slots.
-- Returns: jobs queued, ms until the next is due ('' when none waits), positions (from 0) of the wants whose gate did
--   not match, what recoveryState says (includes/recovery), then flat for each job: ULID, position of its want, fence,
--   number of the start, spec (JSON).
--   The id of an attempt is the claim's id, a point and the job's position in the answer, from 0.
-- States: scheduled -> queued, queued -> running.
--- @include pool
--- @include job
--- @include due
--- @include recovery
if repeated then
  return redis.error_reply('STALE_OP claim ' .. number .. ' arrives a second time')
end

local recovery = recoveryState(num())
if #recovery > 0 then
  if since and now < since then
    redis.call('HSET', base .. 'calls', 'recovering', nowText)
  end
  return { redis.call('ZCARD', base .. 'queued'), nextDueIn(), {}, recovery }
elseif since then
  redis.call('HDEL', base .. 'calls', 'recovering')
  redis.call('DEL', base .. 'awaited', base .. 'unsure')
end

local claim, most, mostBytes = arg(), num(), num()
local wants, refused = {}, {}
for i = 1, num() do
  local want = { index = i - 1, session = arg(), worker = arg(), epoch = num(), max = num(), free = num() }
  if tonumber(redis.call('HGET', base .. 'gates', want.session) or '') == want.epoch then
    wants[#wants + 1] = want
  else
    refused[#refused + 1] = want.index
  end
end

-- Whom the next job goes to, in turn; the turn begins anywhere (by the claim's random id). Free slots before prefetch.
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
        targets[#targets + 1] = { want = want, free = field == 'free' }
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
addTargets('prefetch')

promoteDue(most)

-- Walks the head of the queue. What may not be prefetched is passed over, within bounds, so that it blocks nobody.
local LOOK_AHEAD = 250
local WANTED = { 'state', 'rule', 'fence', 'starts', 'losses', 'spec' }
local given, bytes, looked, walking = {}, 0, 0, true
while walking and #given < #targets and looked < #targets + LOOK_AHEAD do
  local size = #targets - #given
  local heads = redis.call('ZRANGE', base .. 'queued', looked, looked + size - 1)
  looked = looked + #heads
  walking = #heads == size
  for _, ulid in ipairs(heads) do
    local v = redis.call('HMGET', jobKey(ulid), unpack(WANTED))
    local target = targets[#given + 1]
    if v[1] ~= 'queued' then
      push(removals, base .. 'queued', ulid) -- in the index, but not in its record: nobody would ever take it out
    elseif target.free or (tonumber(v[5] or 0)) < 2 then
      if #given > 0 and bytes + #v[6] > mostBytes then
        walking = false
        break
      end
      bytes = bytes + #v[6]
      given[#given + 1] = { ulid = ulid, want = target.want, rule = v[2], spec = v[6],
        fence = math.max((tonumber(v[3] or 0)) + 1, now), start = (tonumber(v[4] or 0)) + 1 }
    end
  end
end

local reply = { 0, '', refused, recovery }
local seq = #given > 0 and redis.call('INCRBY', base .. 'seq', #given) - #given or 0
for i, job in ipairs(given) do
  local want = job.want
  push(removals, base .. 'queued', job.ulid)
  push(adds, base .. 'running', nowText, job.ulid)
  push(adds, base .. 's:' .. want.session, int(seq + i), job.ulid)
  if job.rule and job.rule ~= '' then
    local batch = cjson.decode(job.rule).batchId
    countBatch(batch, 'queued', -1)
    countBatch(batch, 'running', 1)
  end
  redis.call('HSET', jobKey(job.ulid), 'state', 'running', 'attempt', claim .. '.' .. (i - 1), 'session', want.session,
    'worker', want.worker, 'epoch', int(want.epoch), 'fence', int(job.fence), 'starts', job.start, 'started', nowText)
  event('started', job.ulid, job.start, want.worker, want.session)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4], reply[n + 5] = job.ulid, want.index, job.fence, job.start,
    job.spec
end

flush()
reply[1], reply[2] = redis.call('ZCARD', base .. 'queued'), nextDueIn()
return reply
