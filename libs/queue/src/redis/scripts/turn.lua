#!lua flags=allow-oom
-- What a scheduler does most, in one step: ends attempts as settle does, then gives queued jobs away as claim does. A
-- second sending is refused: STALE_OP; ends are then to be told again by settle, which knows them.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] and on: those of settle from its fourth, then those of
--   claim from its fourth.
-- Returns: what settle returns (flat for each end that was not accepted: its position, repeated | stale), what claim returns.
-- States: as settle: running -> succeeded | failed | cancelled | scheduled | queued; as claim: scheduled -> queued,
--   queued -> running.
--- @include pool
--- @include record
--- @include job
--- @include adopt
--- @include output
--- @include due
--- @include recovery
--- @include settling
--- @include claiming
if repeated then
  return redis.error_reply('STALE_OP turn ' .. number .. ' arrives a second time')
end

local verdicts = settleAll()
flushOutput()
flushMoves()
local claimed, isRecovering = claimJobs()
flush()
if not isRecovering then
  noteQueue(claimed)
end
return { verdicts, claimed }
