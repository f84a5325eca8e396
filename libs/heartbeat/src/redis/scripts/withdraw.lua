#!lua flags=allow-oom
-- A scheduler stops in good order.
-- ARGV: id.
-- Returns: 1 | 0: it was not there.
--- @include control
return redis.call('HDEL', base .. 'schedulers', ARGV[1])
