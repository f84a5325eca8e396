-- Every script of a pool begins with this: KEYS[1] is the base of the pool's slot (keys.ts lists what lies there; all
-- other keys are derived from it and carry the same hash tag). ARGV[1] schema version, ARGV[2] client, ARGV[3] number
-- of the call. Answers the error SCHEMA or STALE_OP before anything is written. `arg` and `num` walk the rest of ARGV.
local base = KEYS[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local client, number = ARGV[2], tonumber(ARGV[3])
local known = redis.call('HMGET', base .. 'calls', 'schema', client)
if known[1] and known[1] ~= ARGV[1] then
  return redis.error_reply('SCHEMA this pool has schema version ' .. known[1] .. ', the caller knows ' .. ARGV[1])
end
local last = known[2] and tonumber(string.match(known[2], '^%d+')) or 0
if number < last then
  return redis.error_reply('STALE_OP call ' .. number .. ' arrives after call ' .. last .. ' of the same client')
end
local repeated = number == last
local cursor = 3
local function arg()
  cursor = cursor + 1
  return ARGV[cursor]
end
local function num()
  return tonumber(arg())
end
local function int(n)
  return string.format('%.0f', n)
end
local nowText = int(now)
local function jobKey(ulid)
  return base .. 'j:' .. ulid
end

-- Vectorised writes: gathered per key, sent by `flush`. A job moves at most once between two calls of `flushMoves`
-- (removals are sent before additions).
local adds, removals, batchCounts, lines = {}, {}, {}, {}
local function push(map, key, a, b)
  local list = map[key]
  if not list then
    list = {}
    map[key] = list
  end
  local n = #list
  list[n + 1], list[n + 2] = a, b
end
local function countBatch(batch, state, n)
  if batch then
    local counts = batchCounts[batch] or {}
    counts[state] = (counts[state] or 0) + n
    batchCounts[batch] = counts
  end
end
-- One line of the events: type, ULID, number of the start (0 = none), worker ("-" = none), what else there is.
local function event(kind, ulid, start, worker, extra)
  lines[#lines + 1] = kind .. ' ' .. ulid .. ' ' .. (start or 0) .. ' ' .. (worker and worker ~= '' and worker or '-') ..
    (extra and (' ' .. extra) or '')
end
local EVENTS_KEPT = '1000' -- entries, of up to 250 lines each
local function flushMoves()
  for key, list in pairs(removals) do
    redis.call('ZREM', key, unpack(list))
  end
  for key, list in pairs(adds) do
    redis.call('ZADD', key, unpack(list))
  end
  adds, removals = {}, {}
end
local function flush()
  redis.call('HSET', base .. 'calls', client, int(number) .. ' ' .. nowText, 'schema', ARGV[1])
  flushMoves()
  for batch, counts in pairs(batchCounts) do
    for state, n in pairs(counts) do
      if n ~= 0 then
        redis.call('HINCRBY', base .. 'b:' .. batch, state, n)
      end
    end
  end
  if #lines > 0 then
    local text = table.concat(lines, '\n')
    redis.call('XADD', base .. 'events', 'MAXLEN', '~', EVENTS_KEPT, '*', 'e', text)
    redis.call('PUBLISH', base .. 'news', text)
  end
end
