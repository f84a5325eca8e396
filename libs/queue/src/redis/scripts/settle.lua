#!lua flags=allow-oom
-- Ends attempts: results are accepted from the attempt that holds the job and from no other. Known again by its state.
-- A result from a lost tail adopts the job and ends it in one step.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] cap of output in bytes for each stream,
--   ARGV[5] number of kinds of reports (most have the same), then for each: session that reports it or '', session that
--   ran it or '', its worker, number of the start or 0, outcome (succeeded | failed | cancelled), number of chunks of
--   output; then the number of different ends, and these (AttemptEnd as JSON, or a letter of END_LETTERS in keys.ts); then
--   a line for each attempt: ULID, attempt, fence, positions of its kind and of its end from 1; then, attempt by attempt,
--   for a failed one 1 when it may be retried, 1 when it was frozen once, exit code or '', a random number in [0, 1), and
--   for each chunk: "stdout" or "stderr", offset, sequence, bytes. Chunks are kept like those of append-output, with an accepted end only.
-- Returns flat for each that was not accepted: its position from 0, repeated | stale.
-- States: running -> succeeded | failed | cancelled; a failure with attempts left -> scheduled; a failure of what was
--   frozen counts as a loss: running -> queued | scheduled | failed | cancelled. Adopted: queued, scheduled -> running.
--- @include pool
--- @include record
--- @include job
--- @include adopt
--- @include output
--- @include settling

local reply = settleAll()
flushOutput()
flush()
return reply
