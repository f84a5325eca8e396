#!lua flags=allow-oom
-- Puts a pool that is on another server than it remembers into recovery (ownership.md, "Recovery of a pool"): awaited are
-- the sessions named here and all that a gate names, but for those whose death is being carried out. One that is under
-- way on this very server stays as it is. Until the last chunk nothing but `awaited` is written: cut short, it is begun
-- anew. No state changes.
-- ARGV[4] ms that a recovery takes at least · [5] the server that the chunks before this one went to, '' for the first ·
-- [6] "1" for the last chunk · [7] and on: sessions, at most 250.
-- Returns what recoveryState says (includes/recovery): begun 0 also when the server is not that of the chunks before.
--- @include pool
--- @include recovery
local AT_ONCE = 1000
local minimum, chunksOf, isLast = num(), arg(), arg() == '1'

-- Keeps all out of it that are dead.
local function await(sessions)
  for from = 1, #sessions, AT_ONCE do
    local some = { unpack(sessions, from, math.min(#sessions, from + AT_ONCE - 1)) }
    redis.call('SADD', base .. 'awaited', unpack(some))
  end
  local dying = redis.call('HKEYS', base .. 'dying')
  for from = 1, #dying, AT_ONCE do
    redis.call('SREM', base .. 'awaited', unpack(dying, from, math.min(#dying, from + AT_ONCE - 1)))
  end
end

local present = runId()
if not isNew and server ~= present and (chunksOf == '' or chunksOf == present) then
  await({ unpack(ARGV, 7) })
  if isLast then
    await(redis.call('HKEYS', base .. 'gates'))
    redis.call('HSET', base .. 'calls', 'server', present, 'recovering', nowText, 'recovered', nowText)
    server, since = present, now
  end
end
flush()
return recoveryState(minimum)
