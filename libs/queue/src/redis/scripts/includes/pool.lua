-- Every script of a pool that writes begins with this. ARGV[1] schema version, ARGV[2] client, ARGV[3] number of the
-- call. Answers the error SCHEMA or STALE_OP before anything is written. `arg` and `num` walk the rest of ARGV.
--- @include slot
local client, number = ARGV[2], tonumber(ARGV[3])
local known = redis.call('HMGET', base .. 'calls', 'schema', client, 'server', 'recovering', 'recovered')
if known[1] and known[1] ~= ARGV[1] then
  return redis.error_reply('SCHEMA this pool has schema version ' .. known[1] .. ', the caller knows ' .. ARGV[1])
end
local last = known[2] and tonumber(string.match(known[2], '^%d+')) or 0
if number < last then
  return redis.error_reply('STALE_OP call ' .. number .. ' arrives after call ' .. last .. ' of the same client')
end
local repeated = number == last
-- For includes/recovery: a slot without a schema is brand-new, so nothing of it can have been lost.
local isNew, server, since = not known[1], known[3], tonumber(known[4] or '')
-- For includes/adopt: when the last recovery began, over or not.
local recovered = tonumber(known[5] or '')
local cursor = 3
local function arg()
  cursor = cursor + 1
  return ARGV[cursor]
end
local function num()
  return tonumber(arg())
end
local nowText = int(now)
-- A rule (JSON, ours, small; users' JSON is never decoded) as a table. Jobs of one call mostly have the same.
local NO_RULE, decodedRules = {}, {}
local function ruleOf(json)
  if not json or json == '' then
    return NO_RULE
  end
  local rule = decodedRules[json]
  if not rule then
    rule = cjson.decode(json)
    decodedRules[json] = rule
  end
  return rule
end

-- Records, as text (includes/record), as they are now: what was looked at is not asked for again, what is written waits for
-- `flush`. False: there is none.
local match, find, sub = string.match, string.find, string.sub
local jobsKey = base .. 'jobs'
local records, recordWrites, endWrites = {}, {}, {}
local AT_ONCE = 2000 -- values that one call is given; Lua's limit is 8000
local function fetchRecords(ulids)
  local unknown = {}
  for i = 1, #ulids do
    local ulid = ulids[i]
    if records[ulid] == nil then
      unknown[#unknown + 1] = ulid
    end
  end
  for from = 1, #unknown, AT_ONCE do
    local found = call('HMGET', jobsKey, unpack(unknown, from, math.min(#unknown, from + AT_ONCE - 1)))
    for i = 1, #found do
      records[unknown[from + i - 1]] = found[i]
    end
  end
end
local function recordOf(ulid)
  local text = records[ulid]
  if text == nil then
    text = call('HGET', jobsKey, ulid)
    records[ulid] = text
  end
  return text
end
local function writeRecord(ulid, text)
  records[ulid] = text
  local n = #recordWrites
  recordWrites[n + 1], recordWrites[n + 2] = ulid, text
end
-- How an attempt ended, for its record: a letter stands for itself, JSON goes beside the record. Answers the letter.
local function keepEnd(ulid, ended)
  if #ended > 1 then
    local n = #endWrites
    endWrites[n + 1], endWrites[n + 2] = ulid, ended
    return 'e'
  end
  return ended
end
-- The rule of a record. Jobs of one call mostly have the same: then it is found, and nothing is cut out.
local mark, marked = '|\n', NO_RULE
local function ruleIn(text)
  if not find(text, mark, 1, true) then
    local rule = match(text, '|({[^\n]*})\n') or ''
    mark, marked = '|' .. rule .. '\n', ruleOf(rule)
  end
  return marked
end
local function setAll(key, pairs)
  for from = 1, #pairs, AT_ONCE do
    call('HSET', key, unpack(pairs, from, math.min(#pairs, from + AT_ONCE - 1)))
  end
end

-- Vectorised writes: gathered per key, sent by `flush`. A job moves at most once between two calls of `flushMoves`
-- (removals are sent before additions). What runs has no index, since its owner has one: it is counted.
local adds, removals, batchCounts, runningMore = {}, {}, {}, 0
local function listOf(map, key)
  local list = map[key]
  if not list then
    list = {}
    map[key] = list
  end
  return list
end
local function push(map, key, a, b)
  local list = listOf(map, key)
  local n = #list
  list[n + 1], list[n + 2] = a, b
end
local ownerKeys = {} -- by session: the key of what it owns
local function ownedBy(session)
  local key = ownerKeys[session]
  if not key then
    key = base .. 's:' .. session
    ownerKeys[session] = key
  end
  return key
end
local function countBatch(batch, state, n)
  if batch then
    local counts = batchCounts[batch] or {}
    counts[state] = (counts[state] or 0) + n
    batchCounts[batch] = counts
  end
end
-- One line of the events: type, ULID, number of the start (0 = none), worker ("-" = none), what else there is. They are
-- kept in pieces: Lua goes over each byte of each new string.
local pieces = {}
local function line(kind, ulid, more)
  local n = #pieces
  pieces[n + 1], pieces[n + 2], pieces[n + 3], pieces[n + 4] = kind, ulid, more, '\n'
end
local function event(kind, ulid, start, worker, extra)
  line(kind .. ' ', ulid, ' ' .. (start or 0) .. ' ' .. (worker and worker ~= '' and worker or '-') ..
    (extra and (' ' .. extra) or ''))
end
local EVENTS_KEPT = '1000' -- entries, of up to 250 lines each
local function flushMoves()
  setAll(jobsKey, recordWrites)
  setAll(base .. 'ends', endWrites)
  recordWrites, endWrites = {}, {}
  for key, list in pairs(removals) do
    if #list > 0 then
      call('ZREM', key, unpack(list))
    end
  end
  for key, list in pairs(adds) do
    if #list > 0 then
      call('ZADD', key, unpack(list))
    end
  end
  adds, removals = {}, {}
end
local function flush()
  if isNew then
    redis.call('HSET', base .. 'calls', client, int(number) .. ' ' .. nowText, 'schema', ARGV[1], 'server', runId())
  else
    redis.call('HSET', base .. 'calls', client, int(number) .. ' ' .. nowText)
  end
  flushMoves()
  if runningMore ~= 0 then
    redis.call('INCRBY', base .. 'running', runningMore)
  end
  for batch, counts in pairs(batchCounts) do
    for state, n in pairs(counts) do
      if n ~= 0 then
        redis.call('HINCRBY', base .. 'b:' .. batch, state, n)
      end
    end
  end
  if #pieces > 0 then
    local text = table.concat(pieces, '', 1, #pieces - 1)
    redis.call('XADD', base .. 'events', 'MAXLEN', '~', EVENTS_KEPT, '*', 'e', text)
    redis.call('PUBLISH', base .. 'news', text)
  end
end
