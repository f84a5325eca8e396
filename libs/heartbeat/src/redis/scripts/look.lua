#!lua flags=no-writes,allow-oom
-- One consistent look, with the server it was taken from.
-- ARGV: how long the dead are shown (ms), how many of them at most (the latest).
-- Returns: run id, now (ms), term (0 = none was minted), then the fields of each session.
--- @include control
--- @include server
local term = redis.call('HGET', base .. 'term', 'term') or '0'
local reply = { runId, int(now), term }
for _, session in ipairs(redis.call('SMEMBERS', base .. 'living')) do
  reply[#reply + 1] = { session, redis.call('HGETALL', sessionKey(session)) }
end
local since = int(now - tonumber(ARGV[1]))
local dead = redis.call('ZRANGE', base .. 'dead', '+inf', since, 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[2])
for _, session in ipairs(dead) do
  reply[#reply + 1] = { session, redis.call('HGETALL', sessionKey(session)) }
end
return reply
