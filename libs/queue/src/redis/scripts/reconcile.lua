#!lua flags=allow-oom
-- Compares what a session holds with what it owns, and opens its gate (ownership.md, "Gates").
-- ARGV[4] ms that a recovery takes at least · [5] session · [6] its worker · [7] its epoch · [8] "1" for the last chunk ·
-- [9] how many attempts · then for each: ULID, attempt id, fence, number of the start or 0, "1" if the worker has it
-- still, "2" if it has it frozen (else it gave it back).
-- Each attempt that is running under this session and id is stamped with the epoch; one from a lost tail is adopted
-- (queued, scheduled -> running). What is frozen is `unsure` until a recovery is over: maybe it was given away while it
-- was frozen, that was lost, and who has it now has not been heard yet; then it must not go on. A last chunk queues again,
-- for free, what the session owns under a lower epoch (running -> queued, or cancelled where that was asked), at most
-- STEP; when nothing is left to do the session is no longer awaited. For that its epoch must be younger than the recovery,
-- as long as this takes at least: what a scheduler that was stopped heard before it may have been overtaken by what was
-- lost.
-- Returns {requeued, "1" if there is more, adopted, then for each attempt: 0 gone, 1 held, 2 held and to be cancelled,
-- 3 unsure: ask again}.
-- Errors: STALE_EPOCH below the gate's epoch, or the session's death is being carried out; nothing is written.
--- @include pool
--- @include record
--- @include job
--- @include adopt
--- @include recovery
local STEP = 100 -- with all their indexes: a few ms
local minimum, session, worker, epoch, isLast, count = num(), arg(), arg(), num(), arg() == '1', num()
local open = tonumber(redis.call('HGET', base .. 'gates', session)) or 0
if epoch < open then
  return redis.error_reply('STALE_EPOCH session ' .. session .. ' is at epoch ' .. int(open) .. ', not ' .. int(epoch))
end
if redis.call('HEXISTS', base .. 'dying', session) == 1 then
  return redis.error_reply('STALE_EPOCH session ' .. session .. ' is dead, its jobs are being taken back')
end
redis.call('HSET', base .. 'gates', session, int(epoch))

local inRecovery = #recoveryState(minimum) > 0
local sure, unsure = {}, {}
local reply = { 0, '0', 0 }
local WIDTH = 5
local named = {}
for i = 1, count do
  named[i] = ARGV[cursor + (i - 1) * WIDTH + 1]
end
fetchRecords(named)
for _ = 1, count do
  local ulid, attempt, fence, start, how = arg(), arg(), num(), num(), arg()
  local job = load(ulid)
  local held = job and job.state == 'running' and job.session == session and job.attempt == attempt
  if held then
    job.epoch = epoch
    save(job)
  elseif how ~= '0' then
    held = isLost(job, fence, session)
    if held then
      adopt(job, attempt, fence, session, worker, epoch, start)
      reply[3] = reply[3] + 1
    end
  end
  if held and (inRecovery or since) then
    local list = inRecovery and how == '2' and unsure or sure
    list[#list + 1] = ulid
  end
  reply[#reply + 1] = not held and 0 or (inRecovery and how == '2') and 3 or job.cancel ~= '' and 2 or 1
end
if #sure > 0 then
  redis.call('SREM', base .. 'unsure', unpack(sure))
end
if #unsure > 0 then
  redis.call('SADD', base .. 'unsure', unpack(unsure))
end

if isLast then
  -- Walks all that it owns: its slots and a little prefetch.
  local owned = redis.call('ZRANGE', base .. 's:' .. session, 0, -1)
  fetchRecords(owned)
  for _, ulid in ipairs(owned) do
    local job = load(ulid)
    if not job or job.state ~= 'running' or job.session ~= session then
      push(removals, base .. 's:' .. session, ulid)
    elseif job.epoch < epoch then
      if reply[1] == STEP then
        reply[2] = '1'
        break
      end
      release(job, false, 'unstarted')
      reply[1] = reply[1] + 1
    end
  end
end
if isLast and reply[2] == '0' and (not since or epoch >= since or now - since >= minimum) then
  redis.call('SREM', base .. 'awaited', session)
end
flush()
return reply
