#!lua flags=allow-oom
-- Marks a batch as written in full and takes away the time limit that an unsealed one got when its jobs were gone.
-- KEYS[1] the batch's record. Does nothing when there is none. Returns 1 if it is there.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'sealed', '1')
redis.call('PERSIST', KEYS[1])
return 1
