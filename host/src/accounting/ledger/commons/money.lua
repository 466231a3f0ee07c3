-- What several ledgers share of each account (`run.lua` comes before). One hash for each account: a field for each ledger's
-- file, "number granted spent offered heard", and a field "?FILE" for each that waits, with the time until when.
--
-- KEYS: what is known of the store's run, then the accounts.
-- ARGV: the file; how long a store that has begun anew lends nothing and a file is taken to live, in ms; how many copies there are,
--       and the copies, each an account's place, a file and its field; then for each account: number, granted, spent, limit,
--       least, desired, whether it waits, and how long the hash is kept, in ms.
-- Returns the store's run, 1 where it lends nothing yet, and for each account what is offered and the hash.
local file, term = ARGV[1], tonumber(ARGV[2])

local known = redis.call('HMGET', KEYS[1], 'run', 'since')
if known[1] ~= run then
  redis.call('HSET', KEYS[1], 'run', run, 'since', int(now))
  known[2] = now
end
local is_new = now - tonumber(known[2]) < term

local read = function(field)
  local number, granted, spent, offered, heard = string.match(field, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  return { number = tonumber(number), granted = tonumber(granted), spent = tonumber(spent), offered = tonumber(offered), heard = tonumber(heard) }
end
local write = function(key, of, entry)
  local numbers = { int(entry.number), int(entry.granted), int(entry.spent), int(entry.offered), int(entry.heard) }
  redis.call('HSET', key, of, table.concat(numbers, ' '))
end

local at = 4
for _ = 1, tonumber(ARGV[3]) do
  local key, of, copy = KEYS[1 + tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2]
  local field = redis.call('HGET', key, of)
  if not field or read(field).number < read(copy).number then redis.call('HSET', key, of, copy) end
  at = at + 3
end

local answer = { run, is_new and 1 or 0 }
for place = 2, #KEYS do
  local key = KEYS[place]
  local number, limit = tonumber(ARGV[at]), tonumber(ARGV[at + 3])
  local least, desired, waits, kept = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), ARGV[at + 6] == '1', ARGV[at + 7]
  local before = redis.call('HGET', key, file)
  local offered = -1
  -- A word that was overtaken by a later one of the same file says nothing any more.
  if not before or read(before).number < number then
    local own = { number = number, granted = tonumber(ARGV[at + 1]), spent = tonumber(ARGV[at + 2]), offered = 0, heard = now }
    local used, living, is_wanted = own.granted, 1, false
    local all = redis.call('HGETALL', key)
    for field = 1, #all, 2 do
      local name = all[field]
      if string.sub(name, 1, 1) == '?' then
        if tonumber(all[field + 1]) < now then
          redis.call('HDEL', key, name)
        elseif name ~= '?' .. file then
          is_wanted = true
        end
      elseif name ~= file then
        local other = read(all[field + 1])
        used = used + other.granted + other.offered
        if now - other.heard < term then living = living + 1 end
      end
    end
    local free = math.max(limit - used, 0)
    offered = 0
    if desired > 0 and not is_new and free >= least then
      local share = is_wanted and 0 or math.floor(free / (2 * living))
      offered = math.min(math.max(least, math.min(desired, share)), free)
      own.offered = offered
    end
    if waits and offered < least then
      redis.call('HSET', key, '?' .. file, int(now + 1000))
    else
      redis.call('HDEL', key, '?' .. file)
    end
    write(key, file, own)
    redis.call('PEXPIRE', key, kept)
  end
  answer[#answer + 1] = int(offered)
  answer[#answer + 1] = redis.call('HGETALL', key)
  at = at + 8
end
return answer
