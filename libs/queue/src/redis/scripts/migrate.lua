#!lua flags=allow-oom
-- Brings jobs of schema 1, each a hash j:ULID of its own, to schema 2. Sent twice it does nothing more: what was moved is
-- not there any more.
-- KEYS[1] base of the pool's slot. ARGV[1..3] see includes/pool. ARGV[4] the version that the pool has afterwards, a
--   number when all is done · [5] and on: ULIDs, at most 250.
-- Returns how many were moved. No state changes.
--- @include pool
--- @include record
local TEXTS = { 'attempt', 'session', 'worker', 'started', 'due', 'why', 'cancel', 'op', 'closed', 'place', 'queued',
  'finished', 'state', 'created' }
local NUMBERS = { 'priority', 'fence', 'starts', 'failures', 'losses', 'epoch' }
local FINAL = { succeeded = true, failed = true, cancelled = true, skipped = true }
local specs, old = {}, {}
for i = 5, #ARGV do
  local ulid = ARGV[i]
  local flat = redis.call('HGETALL', base .. 'j:' .. ulid)
  local v = {}
  for n = 1, #flat, 2 do
    v[flat[n]] = flat[n + 1]
  end
  if v.state then
    local job = { ulid = ulid, json = v.rule or '', letter = '', bytes = #v.spec > 4096 and #v.spec or 0 }
    for _, name in ipairs(TEXTS) do
      job[name] = v[name] or ''
    end
    for _, name in ipairs(NUMBERS) do
      job[name] = tonumber(v[name]) or 0
    end
    job.outputs = string.gsub(v.outputs or '', ' ', ',')
    if not FINAL[job.state] then
      job.finished = ''
    elseif v['end'] and v['end'] ~= '' then
      job.letter = keepEnd(ulid, v['end'])
    end
    save(job)
    specs[#specs + 1], specs[#specs + 2] = ulid, v.spec
    old[#old + 1] = base .. 'j:' .. ulid
  end
end
setAll(base .. 'specs', specs)
if tonumber(ARGV[4]) then -- what runs is only counted from now on
  local running = call('ZCARD', base .. 'running')
  call('DEL', base .. 'running')
  runningMore = running
end
flush()
if #old > 0 then
  redis.call('UNLINK', unpack(old))
end
redis.call('HSET', base .. 'calls', 'schema', ARGV[4])
return #old
