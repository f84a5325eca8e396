#!lua flags=allow-oom
-- A scheduler says that it is there. Those that have been silent for too long are removed in passing.
-- ARGV: id, workers it serves, version, after how long (ms) one is not there any more, how many are kept at most.
-- Returns: 1 | 0: so many are there that this one is not entered.
--- @include control
--- @include presence
local id, workers, version, within, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local known = redis.call('HGETALL', PRESENT)
local others = 0
for i = 1, #known, 2 do
  if not isPresent(known[i + 1], within) then
    redis.call('HDEL', PRESENT, known[i])
  elseif known[i] ~= id then
    others = others + 1
  end
end
if others >= most then
  return 0
end
redis.call('HSET', PRESENT, id, int(now) .. ' ' .. workers .. ' ' .. version)
return 1
