-- Recovery of a pool (ownership.md). Needs `base`, `now`, `int`, `runId` (includes/slot), and `isNew`, `server` (that the
-- pool remembers), `since` (when its recovery began): fields of `calls`.
local AWAITED_ANSWERED = 1000

-- Nothing when the pool may be claimed from; else 1 (or 0: nobody has begun the recovery), the server it is on, ms until
-- it may be over, and the sessions awaited, some of them where there are very many. `minimum` is how long it takes at
-- least; a clock that jumped back does not prolong that.
local function recoveryState(minimum)
  local present = runId()
  if isNew then
    return {}
  elseif server ~= present then
    return { 0, present, minimum }
  elseif not since then
    return {}
  end
  local wait = math.max(0, math.min(minimum, since + minimum - now))
  local awaited = redis.call('SRANDMEMBER', base .. 'awaited', AWAITED_ANSWERED)
  if wait == 0 and #awaited == 0 then
    return {}
  end
  return { 1, present, wait, unpack(awaited) }
end
