#!lua flags=no-writes,allow-oom
-- What a judge goes by, each second: little of each session, and one value for all of them.
-- Returns: run id, term (0 = none was minted), then a line for each session that lives: itself, renewals, lease (ms).
--- @include control
--- @include server
local lines = {}
for _, session in ipairs(redis.call('SMEMBERS', base .. 'living')) do
  local known = redis.call('HMGET', sessionKey(session), 'renewals', 'lease')
  if known[1] then
    lines[#lines + 1] = session .. ' ' .. known[1] .. ' ' .. (known[2] or '0')
  end
end
return { runId, redis.call('HGET', base .. 'term', 'term') or '0', table.concat(lines, '\n') }
