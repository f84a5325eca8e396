-- Which server this is: another one after a restart or a failover. Asked in the script, so that it is the very server
-- that answers or writes.
local runId = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
