-- Passes on among instances what strategies note. A hash has what was noted last, by "=" and its key, and beside it what this store
-- calls itself, how many changes it has seen, and up to which of them it has forgotten what they changed. A sorted set has the keys
-- by the number of their latest change, the removed ones, too.
--
-- Who writes a key last, has it: in the order in which this store is told.
--
-- KEYS: the hash; the set.
-- ARGV: what the store is to call itself if it knows nothing yet, or nothing where it is only asked; what the store was called that
--       has been heard before; the number of the latest change heard of there; then for each change: its key, 1 or 0 where the key was
--       removed, its value.
-- Returns what the store calls itself; the number of the latest change; "none" where it knew nothing and was only asked: then nothing
-- is done; "all" where all there is follows, else "some"; how many keys found no room; then of others' changes what is given of one's own.
local MOST, REMEMBERED, KEPT = 1024, 4096, 90 * 86400000
local notes, order = KEYS[1], KEYS[2]

local kind, after = 'some', '(' .. ARGV[3]
local known = redis.call('HMGET', notes, '.store', '.changes', '.forgotten')
local store, changes, forgotten = known[1], tonumber(known[2] or 0), tonumber(known[3] or 0)
local is_new = not store
if is_new then
  if ARGV[1] == '' then return { '', '0', 'none', '0' } end
  store = ARGV[1]
  redis.call('DEL', order)
elseif store ~= ARGV[2] or tonumber(ARGV[3]) < forgotten or tonumber(ARGV[3]) > changes then
  kind, after = 'all', '-inf'
end

local own = {}
for at = 4, #ARGV, 3 do own[ARGV[at]] = true end
local heard = {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', order, after, '+inf')) do
  if not own[key] then
    local value = redis.call('HGET', notes, '=' .. key)
    table.insert(heard, key)
    table.insert(heard, value and '1' or '0')
    table.insert(heard, value or '')
  end
end

local kept, refused = 0, 0
if not is_new then kept = redis.call('HLEN', notes) - 3 end
for at = 4, #ARGV, 3 do
  local key, is_set, value = ARGV[at], ARGV[at + 1] == '1', ARGV[at + 2]
  local is_known = redis.call('HEXISTS', notes, '=' .. key) == 1
  if is_set and not is_known and kept >= MOST then
    refused = refused + 1
  else
    if is_set then redis.call('HSET', notes, '=' .. key, value) else redis.call('HDEL', notes, '=' .. key) end
    kept = kept + (is_set and 1 or 0) - (is_known and 1 or 0)
    changes = changes + 1
    redis.call('ZADD', order, changes, key)
  end
end

local excess = redis.call('ZCARD', order) - REMEMBERED
if excess > 0 then
  forgotten = tonumber(redis.call('ZRANGE', order, excess - 1, excess - 1, 'WITHSCORES')[2])
  redis.call('ZREMRANGEBYRANK', order, 0, excess - 1)
end
if is_new or #ARGV > 3 then
  redis.call('HSET', notes, '.store', store, '.changes', string.format('%.0f', changes), '.forgotten', string.format('%.0f', forgotten))
end
if redis.call('PTTL', notes) < KEPT / 2 then redis.call('PEXPIRE', notes, KEPT) end
if redis.call('PTTL', order) < KEPT / 2 then redis.call('PEXPIRE', order, KEPT) end

local answer = { store, string.format('%.0f', changes), kind, string.format('%.0f', refused) }
for _, text in ipairs(heard) do table.insert(answer, text) end
return answer
