#!lua flags=allow-oom
-- Moves what is due into the order, a bounded number, earliest first.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] the most jobs to move.
-- Returns: jobs moved, jobs queued, ms until the next is due ('' when none waits).
-- States: scheduled -> queued.
--- @include pool
--- @include record
--- @include job
--- @include due

local moved = promoteDue(num())
flush()
return { moved, redis.call('ZCARD', base .. 'queued'), nextDueIn() }
