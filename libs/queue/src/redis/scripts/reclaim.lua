#!lua flags=allow-oom
-- Carries out the death of a session in this pool: closes its gate and takes back one chunk of its jobs, in order of
-- claim (ownership.md, "Death"). Idempotent; repeated until nothing remains, and again whenever in doubt. At the end it
-- is no longer awaited, if the pool is in recovery.
-- ARGV[4] session · [5] how many of its jobs count as losses (used by the first chunk, then kept in `dying`; 0: all
-- return for free) · [6] reason, without tabs · [7] a random number in [0, 1) for the waits.
-- running -> queued, scheduled (a wait after a second loss), failed (worker_lost), cancelled (where that was asked).
-- Returns {remaining, then for each job moved: ULID, worker, "1" if it counts as a loss, state}.
--- @include pool
--- @include record
--- @include job
local STEP = 100 -- with all their indexes: a few ms
local GOLDEN = 0.6180339887 -- spreads one random number over many jobs
local session, losses, reason, random = arg(), num(), arg(), num()
local owned = base .. 's:' .. session
redis.call('HDEL', base .. 'gates', session)
redis.call('HSETNX', base .. 'dying', session, int(losses))
local left = tonumber(redis.call('HGET', base .. 'dying', session))

local reply = { 0 }
local first = redis.call('ZRANGE', owned, 0, STEP - 1)
fetchRecords(first)
for i, ulid in ipairs(first) do
  local job = load(ulid)
  if not job or job.state ~= 'running' or job.session ~= session then
    push(removals, owned, ulid)
  else
    local lost = left > 0
    if lost then
      left = left - 1
      lose(job, reason, (random + i * GOLDEN) % 1)
    else
      -- Without losses it has killed what it ran and says so; with some, what comes after them was claimed ahead.
      release(job, losses == 0, reason)
    end
    for _, value in ipairs({ ulid, job.worker, lost and '1' or '0', job.state }) do
      reply[#reply + 1] = value
    end
  end
end
flush()
reply[1] = redis.call('ZCARD', owned)
if reply[1] > 0 then
  redis.call('HSET', base .. 'dying', session, int(left))
else
  redis.call('HDEL', base .. 'dying', session)
  redis.call('SREM', base .. 'awaited', session)
end
return reply
