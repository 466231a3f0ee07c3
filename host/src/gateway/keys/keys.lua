-- Brings together the keys of several gateways' files: what one has all get, and what one has revoked is revoked.
--
-- KEYS: a hash, each key's id to "revoked record", where revoked is 0 or 1 and the record JSON; and ".version", which every change changes.
-- ARGV: the version that is known; then for each key of the file: its id, whether it is revoked, and its record.
-- Returns the version; then, where it is not the one known, for each key of the hash: its id, whether it is revoked, and its record.
local key, known, has_changed = KEYS[1], ARGV[1], false
for at = 2, #ARGV, 3 do
  local id, revoked, record = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local before = redis.call('HGET', key, id)
  if not before or (revoked == '1' and string.sub(before, 1, 1) == '0') then
    redis.call('HSET', key, id, revoked .. ' ' .. record)
    has_changed = true
  end
end
if has_changed then
  local time = redis.call('TIME')
  redis.call('HSET', key, '.version', time[1] .. '.' .. time[2] .. '.' .. redis.call('HLEN', key))
end
local version = redis.call('HGET', key, '.version') or ''
local answer = { version }
if version ~= known then
  local all = redis.call('HGETALL', key)
  for at = 1, #all, 2 do
    if all[at] ~= '.version' then
      table.insert(answer, all[at])
      table.insert(answer, string.sub(all[at + 1], 1, 1))
      table.insert(answer, string.sub(all[at + 1], 3))
    end
  end
end
return answer
