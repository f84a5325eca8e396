#!lua flags=allow-oom
-- Mints the next term. It grows also after a lost tail.
-- ARGV: leader.
-- Returns: term.
--- @include control
local last = tonumber(redis.call('HGET', base .. 'term', 'term') or '0')
local term = int(math.max(last + 1, now))
redis.call('HSET', base .. 'term', 'term', term, 'leader', ARGV[1], 'minted', int(now))
return term
