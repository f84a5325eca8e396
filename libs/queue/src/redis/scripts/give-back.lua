#!lua flags=allow-oom
-- Takes back attempts that their workers do not run to the end: for free, or as a loss.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] number of attempts, then for each:
--   ULID, attempt, fence, session that reports it or '', reason, 1 when it is free (else a loss), 1 when it had started, a random number in [0, 1).
-- Returns for each: accepted | repeated | stale.
-- States: running -> queued, or cancelled where that was asked for; a loss also -> scheduled | failed.
--- @include pool
--- @include record
--- @include job

local reply = {}
for i = 1, num() do
  local ulid, attempt, fence, by, reason = arg(), arg(), num(), arg(), arg()
  local free, started, random = arg() == '1', arg() == '1', num()
  local job = load(ulid)
  local verdict = close(job, attempt, fence, by)
  if verdict == 'held' then
    verdict = 'accepted'
    if free then
      release(job, started, reason)
    else
      lose(job, reason, random)
    end
  end
  reply[i] = verdict
end

flush()
return reply
