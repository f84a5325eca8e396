#!lua flags=allow-oom
-- Renews a batch of sessions (at most 250), in order.
-- ARGV: for each seven: session, epoch (of its Welcome), free slots, load, memory used, memory total (bytes), wedged (0|1).
-- Returns for each: alive, draining (0|1), session it pushed out or '' | session_dead, reason |
-- superseded, by session | stale_epoch, current epoch. Only what is answered `alive` was renewed.
-- The first renewal of a session takes the place of its worker id, if its first epoch is higher than that of the
-- session in place: alive -> superseded for that one, else for itself.
-- An epoch above the known one is taken over: the Hello it came from was in a lost tail.
--- @include control
local replies = {}

local function supersede(loser, winner)
  redis.call('HSET', sessionKey(loser), 'state', 'superseded', 'by', winner)
end

-- Answers who is in place of the worker id now, and whom it pushed out.
local function takePlace(session, worker, first)
  local inPlace = redis.call('HGET', base .. 'workers', worker)
  if inPlace == session then
    return session, ''
  end
  local other = inPlace and redis.call('HMGET', sessionKey(inPlace), 'first', 'state') or {}
  if other[1] and tonumber(other[1]) >= first then
    supersede(session, inPlace)
    return inPlace, ''
  end
  redis.call('HSET', base .. 'workers', worker, session)
  if other[2] == 'alive' then
    supersede(inPlace, session)
    return session, inPlace
  end
  return session, ''
end

local function renew(session, epoch, free, load, memoryUsed, memoryTotal, wedged)
  local key = sessionKey(session)
  local known = redis.call('HMGET', key, 'state', 'epoch', 'first', 'worker', 'draining', 'reason', 'by')
  if not known[1] then
    return { 'session_dead', 'unregistered' }
  end
  if known[1] == 'dead' then
    return { 'session_dead', known[6] }
  end
  if known[1] == 'superseded' then
    return { 'superseded', known[7] }
  end
  if tonumber(epoch) < tonumber(known[2]) then
    return { 'stale_epoch', known[2] }
  end
  local inPlace, pushedOut = takePlace(session, known[4], tonumber(known[3]))
  if inPlace ~= session then
    return { 'superseded', inPlace }
  end
  redis.call('HINCRBY', key, 'renewals', 1)
  redis.call('HSET', key, 'epoch', epoch, 'free', free, 'load', load, 'memoryUsed', memoryUsed,
    'memoryTotal', memoryTotal, 'wedged', wedged, 'renewed', int(now))
  return { 'alive', known[5], pushedOut }
end

for i = 1, #ARGV, 7 do
  replies[#replies + 1] = renew(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6])
end
return replies
