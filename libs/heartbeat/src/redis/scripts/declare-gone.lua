#!lua flags=allow-oom
-- A session's own last will. The first death stands.
-- ARGV: session, reason.
-- Returns: the session's fields, empty when it is unknown.
-- From alive or superseded -> dead.
--- @include control
--- @include death
local session, reason = ARGV[1], ARGV[2]
local state = redis.call('HGET', sessionKey(session), 'state')
if state and state ~= 'dead' then
  die(session, reason)
end
return redis.call('HGETALL', sessionKey(session))
