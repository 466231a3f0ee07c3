-- Passes news on among instances. A stream: an entry for each, with who tells it, what it is and for how many ms it holds from then on.
--
-- KEYS: the stream.
-- ARGV: the instance; the entry that it has read last; then for each piece of news: what it is, and for how many ms it holds.
-- Returns the entry read last, and of the news of others: what it is, for how many ms it holds yet, or -1 where it is no matter of time.
local MOST, AT_ONCE, KEPT = 2000, 200, 86400000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key, me, last = KEYS[1], ARGV[1], ARGV[2]
for at = 3, #ARGV, 2 do
  redis.call('XADD', key, 'MAXLEN', '~', MOST, '*', 'from', me, 'what', ARGV[at], 'ms', ARGV[at + 1])
end
redis.call('PEXPIRE', key, 32 * KEPT)
local answer = { last }
for _, entry in ipairs(redis.call('XRANGE', key, '(' .. last, '+', 'COUNT', AT_ONCE)) do
  answer[1] = entry[1]
  local told, fields = tonumber(string.match(entry[1], '^(%d+)-')), entry[2]
  local ms = tonumber(fields[6])
  local left = ms - math.max(0, now - told)
  if fields[2] ~= me and (ms < 0 or left > 0) then
    table.insert(answer, fields[4])
    table.insert(answer, string.format('%.0f', ms < 0 and -1 or left))
  end
end
return answer
