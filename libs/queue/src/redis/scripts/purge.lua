#!lua flags=allow-oom
-- Removes final jobs for good: record, history, outputs. ARGV[4] and on: ULIDs.
-- succeeded, failed, cancelled, skipped -> nothing.
-- Returns for each: "purged" (now; or, in a repeated call, gone already), "not_final", "not_found".
--- @include pool
--- @include record
--- @include output
--- @include remove
local FINAL = { succeeded = true, failed = true, cancelled = true, skipped = true }
local reply = {}
fetchRecords({ unpack(ARGV, 4) })
for i = 4, #ARGV do
  local job = load(ARGV[i])
  if not job then
    reply[#reply + 1] = repeated and 'purged' or 'not_found'
  elseif not FINAL[job.state] then
    reply[#reply + 1] = 'not_final'
  else
    removeJobs(job.state, { ARGV[i] })
    reply[#reply + 1] = 'purged'
  end
end
flushOutput()
flush()
noteEmptied()
return reply
