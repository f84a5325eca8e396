#!lua flags=allow-oom
-- What a pool is asked each second by whoever has workers for it, so that nothing depends on news. Writes nothing; a replica
-- refuses it all the same: what counts is where the pool is written.
-- KEYS[1] base of the pool's slot. ARGV[1] ms that a recovery takes at least.
-- Returns: how many are queued, ms until the next scheduled job is due ('' = none waits), what recoveryState says
--   (includes/recovery).
--- @include slot
local known = redis.call('HMGET', base .. 'calls', 'schema', 'server', 'recovering')
local isNew, server, since = not known[1], known[2], tonumber(known[3] or '')
--- @include recovery
local first = redis.call('ZRANGE', base .. 'scheduled', 0, 0, 'WITHSCORES')
local due = first[2] and math.max(0, tonumber(first[2]) - now) or ''
return { redis.call('ZCARD', base .. 'queued'), due, recoveryState(tonumber(ARGV[1])) }
