#!lua flags=allow-oom
-- Gives queued jobs to sessions whose gate is open, in the order of the queue: first one after the other to their free
-- slots, then to their prefetch. Before that it moves what is due. A second sending is refused: STALE_OP. Nothing moves
-- in a pool that is in recovery or has to be put into it; the first claim after that removes its traces.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] ms that a recovery takes at least, ARGV[5] id
--   of this claim (random hex), ARGV[6] the most jobs, ARGV[7] the most bytes of specs (but for a single larger job),
--   ARGV[8] number of wants, then for each: session, worker, epoch, the most jobs, how many of these go to free slots.
-- Returns: jobs queued, ms until the next is due ('' when none waits), positions (from 0) of the wants whose gate did
--   not match, what recoveryState says (includes/recovery), and unless that says something the fence of all jobs that
--   start for the first time, flat for each other one: its position (from 0), fence, number of the start; then, a line
--   for each job: ULID and position of its want (each with a line break); spec (JSON without line breaks, parted by one).
--   The id of an attempt is the claim's id, a point and the job's position in the answer, from 0.
-- States: scheduled -> queued, queued -> running.
--- @include pool
--- @include record
--- @include job
--- @include due
--- @include recovery
--- @include claiming
if repeated then
  return redis.error_reply('STALE_OP claim ' .. number .. ' arrives a second time')
end

local reply, isRecovering = claimJobs()
if not isRecovering then
  flush()
  noteQueue(reply)
end
return reply
