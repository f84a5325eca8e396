-- KEYS[1] is the base of a pool's slot (keys.ts lists what lies there; all other keys are derived from it and carry the
-- same hash tag). Times are Redis' own, in ms.
local base = KEYS[1]
-- Looked up once: in loops over jobs each look-up of a global counts.
local ARGV, call, format = ARGV, redis.call, string.format
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- A number of any size in full digits. `%d` takes half of the time, and is right as far as numbers are whole ones.
local function int(n)
  return format(n < 9007199254740992 and n > -9007199254740992 and '%d' or '%.0f', n)
end
-- Which server this is: another one after a restart or a failover. Asked in the script, so that it is the very server
-- that answers or writes.
local presentServer
local function runId()
  presentServer = presentServer or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  return presentServer
end
