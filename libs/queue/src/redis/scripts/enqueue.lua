#!lua
-- Adds jobs. A job that is there already (a repetition: the ids come from the caller) is left as it is. A second sending
-- of the call adds nothing: what it does not find has come and gone meanwhile.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] number of jobs, then for each:
--   ULID, spec (JSON), rule (JSON, or '' where all is default), options: '' or JSON of what is not default of priority,
--   delayMs and runAtMs (ms since 1970).
-- Returns the time in ms, then flat for each job that is anything but new, queued and created at that time: its position
--   from 0, state, time of creation in ms, 1 when it was there before.
-- States: (none) -> queued | scheduled.
--- @include pool
--- @include job
--- @include enqueueing

local reply = enqueueJobs()
flush()
return reply
