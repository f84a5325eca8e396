#!lua flags=no-writes,allow-oom
-- One consistent look, with the server it was taken from.
-- ARGV: how long the dead are shown (ms), how many of them at most (the latest), then the names of the fields that are told.
-- Returns: run id, now (ms), term (0 = none was minted), then a text for each session: itself and these fields, each a
-- line, empty where it has none: whoever reads a thousand sessions has one value for each of them, and not forty.
--- @include control
--- @include server
local term = redis.call('HGET', base .. 'term', 'term') or '0'
local reply = { runId, int(now), term }
local function tell(sessions)
  for _, session in ipairs(sessions) do
    local values = redis.call('HMGET', sessionKey(session), unpack(ARGV, 3))
    for i = 1, #values do
      values[i] = values[i] or ''
    end
    reply[#reply + 1] = session .. '\n' .. table.concat(values, '\n')
  end
end
tell(redis.call('SMEMBERS', base .. 'living'))
local since = int(now - tonumber(ARGV[1]))
tell(redis.call('ZRANGE', base .. 'dead', '+inf', since, 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[2]))
return reply
