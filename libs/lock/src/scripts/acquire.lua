#!lua flags=allow-oom
-- Takes the lock, if nobody else holds it. Called through Redlock, which gives the arguments their order.
-- KEYS[1]: the lock. ARGV: database (Redlock's; not used: no SELECT), token of the owner, lease (ms).
-- Returns: 1 | 0 when another token holds it. Sent twice, it holds it all the same.
local token, leaseMs = ARGV[2], ARGV[3]
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= token then
  return 0
end
redis.call('SET', KEYS[1], token, 'PX', leaseMs)
return 1
