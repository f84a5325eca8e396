#!lua flags=allow-oom
-- Registers a session, or one more Hello of it, which counts as a renewal and gets a new, higher epoch.
-- ARGV: session, worker, number (grows within the session), hasRun (1 = it was welcomed before), lease (ms),
-- scheduler, info (JSON, opaque), slots.
-- Returns: welcome, epoch, draining (0|1) | session_dead, reason | superseded, by session | stale_hello, highest number |
-- foreign: the session is another worker's.
-- The same number again from the same scheduler is a call sent again after a lost reply: answered as the first time.
-- From unknown or alive -> alive.
--- @include control
local session, worker, number, hasRun = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local lease, scheduler, info, slots = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local key = sessionKey(session)
local known = redis.call('HMGET', key, 'state', 'hello', 'scheduler', 'epoch', 'draining', 'reason', 'by', 'worker')
local state = known[1]
if (known[8] or '') ~= '' and known[8] ~= worker then
  return { 'foreign' } -- nothing of that worker is told
end
if state == 'dead' then
  return { 'session_dead', known[6] }
end
if state == 'superseded' then
  return { 'superseded', known[7] }
end
if not state and hasRun then
  return { 'session_dead', 'unregistered' }
end
if state then
  local highest = tonumber(known[2])
  if number == highest and scheduler == known[3] then
    return { 'welcome', known[4], known[5] }
  end
  if number <= highest then
    return { 'stale_hello', known[2] }
  end
end
local last = tonumber(redis.call('GET', base .. 'epoch') or '0')
local epoch = math.max(last + 1, now, (tonumber(known[4] or '0')) + 1)
redis.call('SET', base .. 'epoch', int(epoch))
if not state then
  redis.call('HSET', key, 'state', 'alive', 'worker', worker, 'first', int(epoch), 'started', int(now), 'renewals', 0,
    'draining', '0', 'free', slots)
  redis.call('SADD', base .. 'living', session)
end
redis.call('HINCRBY', key, 'renewals', 1)
redis.call('HSET', key, 'epoch', int(epoch), 'hello', int(number), 'lease', lease, 'scheduler', scheduler,
  'info', info, 'slots', slots, 'renewed', int(now))
return { 'welcome', int(epoch), known[5] or '0' }
