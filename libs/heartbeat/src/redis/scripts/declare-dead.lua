#!lua flags=allow-oom
-- The leader's verdict after silence, or about a session that only a gate knows (reason `unregistered`). The first
-- death stands.
-- ARGV: run id (of the server it was judged on), term, session, renewals (it was judged by), reason, slots (of one that
-- is unknown: nobody knows any more how much of what it held had been started).
-- Returns: dead, the session's fields | renewed | unknown; or the error OTHER_SERVER or STALE_TERM.
-- A term above the stored one is taken over: its minting was in a lost tail, and a later leader's would be higher.
-- From alive or superseded -> dead; unregistered: unknown -> dead.
--- @include control
--- @include server
--- @include death
local judgedOn, term, session, renewals, reason, slots = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if judgedOn ~= runId then
  return redis.error_reply('OTHER_SERVER judged on server ' .. judgedOn .. ', this is ' .. runId)
end
local current = tonumber(redis.call('HGET', base .. 'term', 'term') or '0')
if term < current then
  return redis.error_reply('STALE_TERM term ' .. int(term) .. ' is over, the current one is ' .. int(current))
end
local key = sessionKey(session)
local known = redis.call('HMGET', key, 'state', 'renewals')
if not known[1] and reason ~= 'unregistered' then
  return { 'unknown' }
end
if known[1] and known[1] ~= 'dead' and (reason == 'unregistered' or known[2] ~= renewals) then
  return { 'renewed' }
end
if term > current then
  redis.call('HSET', base .. 'term', 'term', int(term), 'leader', '', 'minted', int(now))
end
if not known[1] then
  redis.call('HSET', key, 'worker', '', 'epoch', 0, 'first', 0, 'hello', 0, 'lease', 0, 'scheduler', '', 'info', '',
    'slots', slots, 'renewals', 0, 'draining', '0', 'started', int(now), 'renewed', int(now))
end
if known[1] ~= 'dead' then
  die(session, reason)
end
return { 'dead', redis.call('HGETALL', key) }
