#!lua
-- Adds jobs as enqueue does, then gives queued jobs away as claim does, in one step: where a worker is free, what is
-- submitted is on its way to it at once. A second sending adds nothing and claims nothing, as enqueue and claim say.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] and on: those of enqueue from its fourth, then
--   those of claim from its fourth.
-- Returns: what enqueue returns; what claim returns, or nothing for a second sending: what the first one has claimed is not
--   known any more.
-- States: as enqueue: (none) -> queued | scheduled; as claim: scheduled -> queued, queued -> running.
--- @include pool
--- @include job
--- @include enqueueing
--- @include due
--- @include recovery
--- @include claiming

local enqueued = enqueueJobs()
if repeated then
  flush()
  return { enqueued }
end
flushMoves()
local claimed, isRecovering = claimJobs()
flush()
if not isRecovering then
  noteQueue(claimed)
end
return { enqueued, claimed }
