#!lua flags=no-writes,allow-oom
-- How many jobs of a pool are in each state, in one moment. (A full Redis refuses a transaction, of reads as well.)
-- KEYS[1] base of the pool's slot. ARGV: states, as core's JOB_STATES.
-- Returns: a number for each.
local base = KEYS[1]
local counts = {}
for i, name in ipairs(ARGV) do
  counts[i] = name == 'running' and tonumber(redis.call('GET', base .. name) or '0') or redis.call('ZCARD', base .. name)
end
return counts
