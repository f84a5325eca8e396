#!lua flags=allow-oom
-- Marks the session in place of a worker id as draining; each renewal says so.
-- ARGV: worker.
-- Returns: draining | unknown.
-- From alive -> alive.
--- @include control
local session = redis.call('HGET', base .. 'workers', ARGV[1])
if not session or redis.call('HGET', sessionKey(session), 'state') ~= 'alive' then
  return 'unknown'
end
redis.call('HSET', sessionKey(session), 'draining', '1')
return 'draining'
