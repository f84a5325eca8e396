-- Every script of the control slot begins with this: KEYS[1] is the slot's base (../../keys.ts lists what lies there;
-- all other keys are derived from it and carry the same hash tag).
local base = KEYS[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function int(n)
  return string.format('%.0f', n)
end
local function sessionKey(session)
  return base .. 's:' .. session
end
