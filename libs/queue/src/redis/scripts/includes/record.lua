-- Records of jobs as text. Needs includes/pool. keys.ts says what the parts mean:
--   place created queued|name=value ...|rule
--   running attempt fence session worker epoch starts started
--   state[ finished[letter]]
-- Each line ends with a line break. The second is missing as long as nobody held the job; the third where it runs, or is
-- queued and nobody held it. "-" stands for an empty value; `rule` is JSON or empty. So the moves of nearly all jobs are
-- lines that are added.
local DEFAULT_RETAIN_MS = 604800000
-- Numbers that are 0, and texts that are empty, are left out of the second part of the first line.
local RARE_NUMBERS = { 'priority', 'failures', 'losses', 'bytes' }
local RARE_TEXTS = { 'due', 'why', 'cancel', 'op', 'closed', 'outputs' }

local function parse(ulid, text)
  local place, created, queued, rare, rule, rest = match(text, '^(%S+) (%S+) ([^%s|]+)|([^|\n]*)|([^\n]*)\n(.*)$')
  local holder = place and match(rest, '^running ([^\n]*)\n')
  local last = place and (holder and sub(rest, #holder + 10) or rest)
  local state, finished, letter = holder and 'running' or 'queued', '', ''
  if last ~= '' then
    state, finished, letter = match(last or '', '^(%a+) ?(%d*)(%a?)\n$')
  end
  if not state then
    return nil -- somebody else wrote there
  end
  local job = { ulid = ulid, state = state, finished = finished, letter = letter, place = place == '-' and '' or place,
    created = created, queued = queued == '-' and '' or queued, json = rule, rule = ruleOf(rule), attempt = '', fence = 0, session = '',
    worker = '', epoch = 0, starts = 0, started = '', priority = 0, failures = 0, losses = 0, bytes = 0, due = '', why = '',
    cancel = '', op = '', closed = '', outputs = '' }
  job.batch = job.rule.batchId
  if holder then
    local attempt, fence, session, worker, epoch, starts, started =
      match(holder, '^([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+)$')
    job.attempt, job.session = attempt == '-' and '' or attempt, session == '-' and '' or session
    job.worker, job.started = worker == '-' and '' or worker, started == '-' and '' or started
    job.fence, job.epoch, job.starts = tonumber(fence), tonumber(epoch), tonumber(starts)
  end
  if rare ~= '' then
    for name, value in string.gmatch(rare, '(%a+)=([^ ]+)') do
      job[name] = type(job[name]) == 'number' and tonumber(value) or value
    end
  end
  return job
end

-- The job as a table, or nil: numbers are numbers, times are text, `rule` is decoded (`json` as it was).
local function load(ulid)
  local text = recordOf(ulid)
  return text and parse(ulid, text) or nil
end

local function orDash(text)
  return text == '' and '-' or text
end

-- Writes the whole record, as the table has it now.
local function save(job)
  local rare = {}
  for _, name in ipairs(RARE_NUMBERS) do
    if job[name] ~= 0 then
      rare[#rare + 1] = name .. '=' .. int(job[name])
    end
  end
  for _, name in ipairs(RARE_TEXTS) do
    if job[name] ~= '' then
      rare[#rare + 1] = name .. '=' .. job[name]
    end
  end
  local text = orDash(job.place) .. ' ' .. job.created .. ' ' .. orDash(job.queued) .. '|' .. table.concat(rare, ' ') ..
    '|' .. job.json .. '\n'
  local wasHeld = job.state == 'running' or job.attempt ~= '' or job.fence > 0 or job.starts > 0
  if wasHeld then
    text = text .. 'running ' .. table.concat({ orDash(job.attempt), int(job.fence), orDash(job.session),
      orDash(job.worker), int(job.epoch), int(job.starts), orDash(job.started) }, ' ') .. '\n'
  end
  if job.state ~= (wasHeld and 'running' or 'queued') then
    text = text .. job.state .. (job.finished ~= '' and ' ' .. job.finished .. job.letter or '') .. '\n'
  end
  writeRecord(job.ulid, text)
end
