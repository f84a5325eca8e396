#!lua flags=allow-oom
-- Forgets sessions that have been dead for long enough.
-- ARGV: for how long (ms), then the sessions (at most 250).
-- Returns: how many were forgotten.
-- From dead -> unknown.
-- No term is checked: what an old leader forgets late is as dead. Age is judged here and now; a forgotten session stays
-- dead (hello and renew answer session_dead to one that says it has run and that nobody knows); and one that a gate names
-- after all is entered as dead again by the sweep.
--- @include control
local before = now - tonumber(ARGV[1])
local forgotten = 0
for i = 2, #ARGV do
  local session = ARGV[i]
  local died = tonumber(redis.call('ZSCORE', base .. 'dead', session) or '')
  if died and died <= before then
    local worker = redis.call('HGET', sessionKey(session), 'worker')
    if worker and redis.call('HGET', base .. 'workers', worker) == session then
      redis.call('HDEL', base .. 'workers', worker)
    end
    redis.call('DEL', sessionKey(session))
    redis.call('ZREM', base .. 'dead', session)
    forgotten = forgotten + 1
  end
end
return forgotten
