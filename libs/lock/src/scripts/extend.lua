#!lua flags=allow-oom
-- Extends the lock of its owner. One that has expired is not taken again: somebody may have held it meanwhile.
-- KEYS[1]: the lock. ARGV: database (not used), token of the owner, lease (ms).
-- Returns: 1 | 0 when it is gone or another token holds it.
local token, leaseMs = ARGV[2], ARGV[3]
if redis.call('GET', KEYS[1]) ~= token then
  return 0
end
redis.call('PEXPIRE', KEYS[1], leaseMs)
return 1
