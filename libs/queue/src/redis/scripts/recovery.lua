#!lua flags=allow-oom
-- Answers whether a pool is in recovery, or has to be put into it. Writes nothing; a replica refuses it all the same: what
-- counts is where the pool is written.
-- KEYS[1] base of the pool's slot. ARGV[1] ms that a recovery takes at least.
-- Returns what recoveryState says (includes/recovery).
--- @include slot
local known = redis.call('HMGET', base .. 'calls', 'schema', 'server', 'recovering')
local isNew, server, since = not known[1], known[2], tonumber(known[3] or '')
--- @include recovery
return recoveryState(tonumber(ARGV[1]))
