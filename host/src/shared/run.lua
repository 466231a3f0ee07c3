-- What a script begins with that lends something out: the store's time in ms, and which run of the store this is. One with another
-- run has been restarted, or is another one, and may lack what was written last: nothing is lent by it until everybody has told it
-- anew.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local int = function(number) return string.format('%.0f', number) end

