#!lua flags=no-writes,allow-oom
-- The schedulers that are there.
-- ARGV: after how long (ms) one is not there any more.
-- Returns for each: id, workers it serves, version.
--- @include control
--- @include presence
local known = redis.call('HGETALL', PRESENT)
local reply = {}
for i = 1, #known, 2 do
  if isPresent(known[i + 1], tonumber(ARGV[1])) then
    local workers, version = string.match(known[i + 1], '^%d+ (%d+) (.*)$')
    reply[#reply + 1] = { known[i], workers, version }
  end
end
return reply
