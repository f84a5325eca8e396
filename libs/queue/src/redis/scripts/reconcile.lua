#!lua flags=allow-oom
-- Compares what a session holds with what it owns, and opens its gate (ownership.md, "Gates").
-- ARGV[4] session · [5] its epoch · [6] "1" for the last chunk · [7] how many attempts · then for each: ULID, attempt id.
-- Each attempt that is running under this session and id is stamped with the epoch; a last chunk queues again, for free,
-- what the session owns under a lower epoch (running -> queued, or cancelled where that was asked), at most STEP.
-- Returns {requeued, "1" if there is more, then for each attempt: 0 gone, 1 held, 2 held and to be cancelled}.
-- Errors: STALE_EPOCH below the gate's epoch, or the session's death is being carried out; nothing is written.
--- @include pool
--- @include job
local STEP = 100 -- with all their indexes: a few ms
local session, epoch, isLast, count = arg(), num(), arg() == '1', num()
local open = tonumber(redis.call('HGET', base .. 'gates', session)) or 0
if epoch < open then
  return redis.error_reply('STALE_EPOCH session ' .. session .. ' is at epoch ' .. int(open) .. ', not ' .. int(epoch))
end
if redis.call('HEXISTS', base .. 'dying', session) == 1 then
  return redis.error_reply('STALE_EPOCH session ' .. session .. ' is dead, its jobs are being taken back')
end
redis.call('HSET', base .. 'gates', session, int(epoch))

local reply = { 0, '0' }
for _ = 1, count do
  local ulid, attempt = arg(), arg()
  local v = redis.call('HMGET', jobKey(ulid), 'state', 'session', 'attempt', 'cancel')
  local held = v[1] == 'running' and v[2] == session and v[3] == attempt
  if held then
    redis.call('HSET', jobKey(ulid), 'epoch', int(epoch))
  end
  reply[#reply + 1] = not held and 0 or (v[4] and v[4] ~= '') and 2 or 1
end

if isLast then
  -- Walks all that it owns (its slots and a little prefetch): one small read each.
  for _, ulid in ipairs(redis.call('ZRANGE', base .. 's:' .. session, 0, -1)) do
    local v = redis.call('HMGET', jobKey(ulid), 'epoch', 'state', 'session')
    if v[2] ~= 'running' or v[3] ~= session then
      push(removals, base .. 's:' .. session, ulid)
    elseif (tonumber(v[1]) or 0) < epoch then
      if reply[1] == STEP then
        reply[2] = '1'
        break
      end
      release(load(ulid), false, 'unstarted')
      reply[1] = reply[1] + 1
    end
  end
end
flush()
return reply
