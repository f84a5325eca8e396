#!lua flags=allow-oom
-- Removes, in one small step, what retention no longer keeps: final records that have expired, then those beyond
-- `maxFinished` (the ones that would expire first); outputs beyond `maxOutputBytes`, oldest first; entries of `created`
-- whose jobs are all gone; clients that made no call for CLIENT_IDLE_MS; what batches counted here, once they are gone.
-- ARGV[4] maxFinished · [5] maxOutputBytes · [6] and on: batches that are gone (their own record was removed).
-- succeeded, failed, cancelled, skipped -> nothing.
-- Returns {jobs removed, outputs removed, "1" if there is more, then batches of which no record is left here, at most STEP}.
--- @include pool
--- @include record
--- @include output
--- @include remove
local JOBS = 750 -- the dispatcher has two calls under way for each step, of 250 jobs each: so retention keeps up with any rate
local STEP = 100
local LOOKED_AT = 1000
local WALKED = 250
local CLIENT_IDLE_MS = 86400000
local ULID = 26 -- characters
local FINAL = { 'succeeded', 'failed', 'cancelled', 'skipped' }
local maxFinished, maxOutputBytes = num(), num()
local walk = base .. 'walk'
local jobs, outputs, entries, clients = 0, 0, 0, 0

local function removeExpired()
  for _, state in ipairs(FINAL) do
    local ulids = redis.call('ZRANGEBYSCORE', base .. state, '-inf', int(now), 'LIMIT', 0, JOBS - jobs)
    jobs = jobs + #ulids
    removeJobs(state, ulids)
  end
end

local function removeBeyondCount()
  local total = 0
  for _, state in ipairs(FINAL) do
    total = total + redis.call('ZCARD', base .. state)
  end
  local excess = math.min(total - maxFinished, JOBS - jobs)
  if excess <= 0 then
    return
  end
  local first = {}
  for _, state in ipairs(FINAL) do
    local found = redis.call('ZRANGE', base .. state, 0, excess - 1, 'WITHSCORES')
    for i = 1, #found, 2 do
      first[#first + 1] = { state = state, ulid = found[i], expires = tonumber(found[i + 1]) }
    end
  end
  table.sort(first, function(a, b)
    return a.expires < b.expires
  end)
  local gone = {}
  for i = 1, excess do
    push(gone, first[i].state, first[i].ulid)
  end
  for state, ulids in pairs(gone) do
    removeJobs(state, ulids)
  end
  jobs = jobs + excess
end

local function removeOutputs()
  flushOutput()
  local bytes = tonumber(redis.call('GET', base .. 'outputBytes')) or 0
  if bytes <= maxOutputBytes then
    return
  end
  for _, member in ipairs(redis.call('ZRANGE', base .. 'outputs', 0, STEP - 1)) do
    if bytes <= maxOutputBytes then
      return
    end
    local ulid, start = string.match(member, '^(.*):(%d+)$')
    bytes = bytes - dropOutput(ulid, start)
    outputs = outputs + 1
  end
end

-- Whether no job of an entry is there any more. Where one lives, it is mostly the last or the first of them: each look
-- costs, and so does each string that is cut out.
local function isDead(ulids)
  if call('HEXISTS', jobsKey, sub(ulids, -ULID)) == 1 or call('HEXISTS', jobsKey, sub(ulids, 1, ULID)) == 1 then
    return false
  end
  local all = {}
  for ulid in string.gmatch(ulids, '%S+') do
    all[#all + 1] = ulid
  end
  fetchRecords(all)
  for _, ulid in ipairs(all) do
    if recordOf(ulid) then
      return false
    end
  end
  return true
end

-- Removes dead entries from `from` on, until it has looked at about `limit` jobs or STEP entries. Answers the last entry looked at, or nil
-- at the end. Reads few at first: an entry holds up to 250 ULIDs, and Lua goes over each byte that it is given.
local function sweepCreated(from, stopAtLiving, limit)
  local looked, seen, size = 0, 0, 1
  while true do
    local found = call('XRANGE', base .. 'created', from, '+', 'COUNT', size)
    for _, entry in ipairs(found) do
      local ulids = entry[2][2]
      looked, seen = looked + (#ulids + 1) / (ULID + 1), seen + 1
      if isDead(ulids) then
        call('XDEL', base .. 'created', entry[1])
        entries = entries + 1
      elseif stopAtLiving then
        return entry[1]
      end
      if looked >= limit or seen == STEP then
        return entry[1]
      end
    end
    if #found < size then
      return nil
    end
    from = '(' .. found[size][1]
    size = math.min(size * 2, STEP - seen)
  end
end

-- The dead are mostly at the old end; a slow walk finds the others.
local function removeCreated()
  sweepCreated('-', true, LOOKED_AT)
  local from = redis.call('HGET', walk, 'created')
  local at = sweepCreated(from and '(' .. from or '-', false, WALKED)
  if at then
    redis.call('HSET', walk, 'created', at)
  elseif from then
    redis.call('HDEL', walk, 'created')
  end
  if entries > 0 and redis.call('XLEN', base .. 'created') == 0 then
    redis.call('UNLINK', base .. 'created')
  end
end

local function removeIdleClients()
  local at = redis.call('HSCAN', base .. 'calls', redis.call('HGET', walk, 'calls') or '0', 'COUNT', STEP)
  for i = 1, #at[2], 2 do
    local name, last = at[2][i], tonumber(string.match(at[2][i + 1], ' (%d+)$'))
    if name ~= 'schema' and name ~= client and last and now - last > CLIENT_IDLE_MS then
      redis.call('HDEL', base .. 'calls', name)
      clients = clients + 1
    end
  end
  if at[1] ~= '0' then
    redis.call('HSET', walk, 'calls', at[1])
  else
    redis.call('HDEL', walk, 'calls')
  end
end

removeExpired()
removeBeyondCount()
removeOutputs()
removeCreated()
removeIdleClients()
flushOutput()
flush()
noteEmptied()
for i = 6, #ARGV do
  local counts = base .. 'b:' .. ARGV[i]
  if (tonumber(redis.call('HGET', counts, 'kept')) or 0) <= 0 then
    redis.call('UNLINK', counts)
  end
  redis.call('SREM', base .. 'emptied', ARGV[i])
end
local more = jobs >= JOBS or outputs >= STEP or entries > 0 or clients > 0
local reply = { jobs, outputs, more and '1' or '0' }
for _, batch in ipairs(redis.call('SRANDMEMBER', base .. 'emptied', STEP)) do
  reply[#reply + 1] = batch
end
return reply
