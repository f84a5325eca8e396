#!lua flags=allow-oom
-- Replaces a string that is still what the caller read; its time limit stays. KEYS[1] the key · ARGV[1] what was read ·
-- ARGV[2] the new value. Returns 1, or 0 where something else, or nothing, stands there.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
