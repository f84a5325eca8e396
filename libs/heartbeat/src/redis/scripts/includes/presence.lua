-- Who is there: a hash `schedulers`, id -> "<ms> <workers> <version>". Needs includes/control. One whose time lies ahead
-- was written before Redis' clock was set back: it comes again within an interval.
local PRESENT = base .. 'schedulers'
local function isPresent(entry, within)
  local at = tonumber(string.match(entry, '^(%d+) '))
  return at ~= nil and at <= now and now - at <= within
end
