-- Divides limits among the instances that share them (`run.lua` comes before). One hash for each limit: a field for each
-- instance, "held used least wanted since seen frees", where since, seen and frees are moments of this store's clock in ms.
--
-- What all instances hold together is never more than the limit: nobody is given more than what nobody holds, and whoever gives
-- something up says so itself, when it has stopped using it.
--
-- KEYS: who there is, then the limits.
-- ARGV: the instance; the number of its word; 1 where it leaves; then for each limit: the limit, its span in ms, held, used, least,
--       wanted, in how many ms some of what is used does not count any more, and 1 where it is not needed any more.
-- Returns how many instances there were lately, and for each limit what the instance may use, and in how many ms anybody may have
-- something to give. Nothing where the word was overtaken by a later one.
local me, number, leaves = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'

-- Who was heard of so long ago is here; and so long ago, was here lately.
local HERE, LATELY = 3000, 120000
-- How long nothing is given by a store that has begun anew, or has heard of nobody for a while: it may have lost what it knew, and
-- whoever is here tells it again within this time.
local NEW, SILENCE = 1200, 1000

local known = redis.call('HMGET', KEYS[1], '.run', '.since', '.last')
local since, last = tonumber(known[2]), tonumber(known[3])
if known[1] ~= run or not last or now < last or now - last > SILENCE then since = now end
redis.call('HSET', KEYS[1], '.run', run, '.since', int(since), '.last', int(now))
local is_new = now - since < NEW

local lately = 0
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local name = all[at]
  if string.sub(name, 1, 1) ~= '.' then
    local its_number, seen = string.match(all[at + 1], '^(%d+) (%d+)$')
    if name == me and tonumber(its_number) >= number then return {} end
    if name ~= me and now - tonumber(seen) > LATELY then
      redis.call('HDEL', KEYS[1], name)
    elseif name ~= me then
      lately = lately + 1
    end
  end
end
if leaves then redis.call('HDEL', KEYS[1], me) else redis.call('HSET', KEYS[1], me, number .. ' ' .. int(now)) end
redis.call('PEXPIRE', KEYS[1], 10 * LATELY)

-- Divides an amount so that nobody gets more than they need and nobody less than others who need as much: what each gets at most.
local level = function(needs, amount)
  table.sort(needs)
  for place, need in ipairs(needs) do
    local equal = math.floor(amount / (#needs - place + 1))
    if need > equal then return math.max(equal, 0) end
    amount = amount - need
  end
  return math.huge
end

local answer = { lately + 1 }
for place = 2, #KEYS do
  local key, at = KEYS[place], 4 + (place - 2) * 8
  local whole, span = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local own = {
    held = tonumber(ARGV[at + 2]), used = tonumber(ARGV[at + 3]), least = tonumber(ARGV[at + 4]), wanted = tonumber(ARGV[at + 5]),
    since = 0, seen = now, frees = now + tonumber(ARGV[at + 6]),
  }
  local is_done = ARGV[at + 7] == '1'

  -- What others hold, those that are here and those that are gone: they may still use what they had for a span, or have used it.
  local here, held, used, frees, gone = {}, own.held, own.used, nil, 0
  local fields = redis.call('HGETALL', key)
  for field = 1, #fields, 2 do
    local h, u, l, w, s, seen, f = string.match(fields[field + 1], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
    local other = {
      held = tonumber(h), used = tonumber(u), least = tonumber(l), wanted = tonumber(w), since = tonumber(s),
      seen = math.min(tonumber(seen), now), frees = tonumber(f),
    }
    if fields[field] == me then
      own.since = other.since
    elseif now - other.seen > span + HERE then
      redis.call('HDEL', key, fields[field])
    else
      held = held + other.held
      if now - other.seen > HERE then
        gone = gone + other.held
        used = used + other.held
        other.frees = other.seen + span + HERE
      else
        used = used + other.used
        table.insert(here, other)
      end
      if (other.used > 0 or now - other.seen > HERE) and (not frees or other.frees < frees) then frees = other.frees end
    end
  end
  if own.used > 0 and (not frees or own.frees < frees) then frees = own.frees end
  if own.wanted == 0 then own.since = 0 elseif own.since == 0 then own.since = now end
  table.insert(here, own)

  -- Who needs how much, and who has waited longest: its next request is served before all others.
  local total, first = gone, nil
  for _, one in ipairs(here) do
    one.need = math.min(one.used + one.wanted, whole)
    total = total + one.need
    if one.since > 0 and (not first or one.since < first.since) then first = one end
  end
  local target
  if total <= whole then
    -- Enough for all. The rest in equal parts, two for each that is here and one for who comes next; the last of it goes to who waits.
    local part = (whole - total) * 2 / (2 * #here + 1)
    target = own.need + (first and own.wanted == 0 and math.floor(part) or math.ceil(part))
  else
    local needs = {}
    for _, one in ipairs(here) do table.insert(needs, one.need) end
    local most = math.max(whole - gone, 0)
    local served = first and math.min(first.used + first.least, most) or 0
    if first and own ~= first then
      needs = {}
      local its = math.max(served, math.min(first.need, math.floor(most / #here)))
      for _, one in ipairs(here) do if one ~= first then table.insert(needs, one.need) end end
      target = math.min(own.need, level(needs, most - its))
    else
      target = math.max(served, math.min(own.need, level(needs, most)))
    end
  end

  local size = target
  if is_new then
    size = own.held
  elseif target > own.held then
    size = own.held + math.max(0, math.min(target - own.held, whole - held))
    own.held = size
    if size >= own.used + own.least then own.since = 0 end
  end
  if leaves or is_done then
    size, own.held = 0, own.used
  end
  if own.held == 0 and (leaves or is_done) then
    redis.call('HDEL', key, me)
  else
    local numbers = { own.held, own.used, own.least, own.wanted, own.since, now, own.frees }
    for column, number in ipairs(numbers) do numbers[column] = int(number) end
    redis.call('HSET', key, me, table.concat(numbers, ' '))
    redis.call('PEXPIRE', key, int(span + 2 * HERE))
  end

  local room = 0
  if used >= whole and frees then room = math.max(0, frees - now) end
  table.insert(answer, int(size))
  table.insert(answer, int(room))
end
return answer
