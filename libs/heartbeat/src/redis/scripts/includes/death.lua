-- Dead is for ever. Needs includes/control. `losses`: how many of its jobs count as lost with their worker; 0 where it
-- killed them itself and said so.
local FREE = { superseded = true, left = true }
local function die(session, reason)
  local slots = redis.call('HGET', sessionKey(session), 'slots')
  redis.call('HSET', sessionKey(session), 'state', 'dead', 'reason', reason, 'died', int(now),
    'losses', FREE[reason] and '0' or slots)
  redis.call('SREM', base .. 'living', session)
  redis.call('ZADD', base .. 'dead', int(now), session)
end
