#!lua flags=allow-oom
-- Gives the lock back, if it is its owner who asks.
-- KEYS[1]: the lock. ARGV: database (not used), token of the owner.
-- Returns: 1 | 0 when it is gone or another token holds it.
if redis.call('GET', KEYS[1]) ~= ARGV[2] then
  return 0
end
redis.call('DEL', KEYS[1])
return 1
