"""What Redis itself does for the answer cache: Lua scripts, each of which happens as a whole or not at all."""

SCHEMA_VERSION = 1

PREFIX = "groat:cache:{answers}:"
"""Every key begins with it. The braces put all of them on one node of a cluster: a script may only touch one."""

_LINKED_AMONG = 400
"""Nodes among which a new vector finds its neighbours: twice what Redis takes, so that searches may look at half as many."""

NEWER = "GROATNEWER"
"""Begins the error of a script that found a newer schema; the version follows."""

# A slot is the place of one identity and exact text, named by a hash of the two. The keys, each after PREFIX:
#   schema           newest version of this layout that was ever used here
#   1:slots          hash: each slot's link, a JSON list [entry, group of vectors or "", "tenant:..", "document:..", ...];
#                    and under "generation" what the names of all other keys carry
#   1:GEN:entry:E    hash: slot, body (JSON), vector (float32), expiry and refused questions of one entry, or of an alias its
#                    wording as the body, and whose it is; the only kind of key that expires
#   1:GEN:aliases    hash: the links of slots that are aliases, [alias, group, "aliases:E"]
#   1:GEN:aliases:E  set of the slots that are aliases of an entry
#   1:GEN:used       sorted set of slots by the time of their last use
#   1:GEN:expiry     sorted set of slots by the time they expire, without those that do not
#   1:GEN:tenant:T   set of the slots of a tenant
#   1:GEN:document:D set of the slots that stand on a document
#   1:GEN:near:V     vector set: the slots of one identity and embedder, in 8 bits a dimension
#
# Redis may evict any of these keys by itself. A slot is served only while it stands in every set that a later "forget" or an
# eviction would look for it in; when "slots" goes, the generation ends and nothing of it is ever read again.
#
# In every script that adds something the first write is one that a full Redis refuses: beyond it nothing fails halfway.
_HEAD = f"""
local version = tonumber(redis.call('GET', KEYS[1] .. 'schema') or 0)
if version > {SCHEMA_VERSION} then return redis.error_reply('{NEWER} ' .. version) end
local base = KEYS[1] .. '{SCHEMA_VERSION}:'
local slots = base .. 'slots'
local generation = redis.call('HGET', slots, 'generation')
local function key(name) return base .. generation .. ':' .. name end
local function micros()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
local function linked(slot)
  local link = redis.call('HGET', slots, slot) or redis.call('HGET', key('aliases'), slot)
  return link and cjson.decode(link)
end
local function is_alias(link) return string.sub(link[3] or '', 1, 8) == 'aliases:' end
local function whole(slot, link)
  if not is_alias(link) and not redis.call('ZSCORE', key('used'), slot) then return false end
  for n = 3, #link do
    if redis.call('SISMEMBER', key(link[n]), slot) == 0 then return false end
  end
  return true
end
local function unknown(reply) return string.find(reply.err, 'Unknown Redis command', 1, true) end
local function read(slot, link)
  if not link or not whole(slot, link) then return false end
  local content = redis.call('HMGET', key('entry:' .. link[1]), 'body', 'vector', 'expires', 'refused', 'of')
  if not content[1] then return false end
  local of = content[5]
  if not of then return {{content[1], content[2], content[3], content[4] or '', ''}} end
  local owner = redis.call('HGET', key('entry:' .. of), 'slot')
  local owner_link = owner and linked(owner)
  local kept = owner_link and owner_link[1] == of and read(owner, owner_link)
  return kept and {{kept[1], content[2], kept[3], kept[4], content[1]}}
end
local function drop(slot, link, group_kept)
  local aliases = key('aliases:' .. link[1])
  for _, alias in ipairs(redis.call('SMEMBERS', aliases)) do
    local other = linked(alias)
    if other and other[3] == 'aliases:' .. link[1] then drop(alias, other) end
  end
  redis.call('UNLINK', aliases)
  redis.call('HDEL', slots, slot)
  redis.call('HDEL', key('aliases'), slot)
  redis.call('ZREM', key('used'), slot)
  redis.call('ZREM', key('expiry'), slot)
  for n = 3, #link do redis.call('SREM', key(link[n]), slot) end
  if link[2] ~= '' and link[2] ~= group_kept then redis.pcall('VREM', key('near:' .. link[2]), slot) end
  return redis.call('UNLINK', key('entry:' .. link[1]))
end
"""

# Makes place: returns how many entries are still too many after `most` steps, how many had expired and went, and how many
# others. First what expired, then what Redis evicted in part, found by samples, then what was used longest ago.
_TRIM = """
local function trim(now, bound, most)
  local left, expired = most, 0
  local function drop_all(found)
    for _, slot in ipairs(found) do
      local link = linked(slot)
      if link then drop(slot, link) else redis.call('ZREM', key('used'), slot); redis.call('ZREM', key('expiry'), slot) end
      left = left - 1
    end
  end
  local function surplus() return redis.call('HLEN', slots) - 1 - bound end
  drop_all(redis.call('ZRANGEBYSCORE', key('expiry'), '-inf', now, 'LIMIT', 0, left))
  expired = most - left
  for _, slot in ipairs(redis.call('HRANDFIELD', slots, 5)) do
    local link = slot ~= 'generation' and linked(slot)
    if link and not (whole(slot, link) and redis.call('EXISTS', key('entry:' .. link[1])) == 1) then drop(slot, link) end
  end
  if left > 0 and surplus() > 0 then
    drop_all(redis.call('ZRANGE', key('used'), 0, math.min(left, surplus()) - 1))
  end
  return math.max(0, surplus()), expired, most - left - expired
end
"""


# 1 slot, 2 entry, 3 link, 4 group, 5 vector, 6 body, 7 made at, 8 expires at or "", 9 milliseconds to live, 10 bound, 11 steps
PUT = f"""{_HEAD}{_TRIM}
local slot, group, alike = ARGV[1], ARGV[4], 1
generation = generation or string.format('%.0f', micros())
if group ~= '' then
  local added = redis.pcall('VADD', key('near:' .. group), 'FP32', ARGV[5], slot, 'Q8', 'EF', {_LINKED_AMONG})
  if type(added) == 'table' then
    if not unknown(added) then return added end
    alike = 0
  end
end
redis.call('HSET', slots, 'generation', generation)
if version < {SCHEMA_VERSION} then redis.call('SET', KEYS[1] .. 'schema', {SCHEMA_VERSION}) end
local old = linked(slot)
if old then drop(slot, old, group) end
local surplus, expired, evicted = trim(ARGV[7], ARGV[10] - 1, tonumber(ARGV[11]))
local entry = key('entry:' .. ARGV[2])
redis.call('HSET', entry, 'slot', slot, 'body', ARGV[6], 'vector', ARGV[5], 'expires', ARGV[8])
if ARGV[8] ~= '' then
  redis.call('PEXPIREAT', entry, string.format('%.0f', math.floor(micros() / 1000) + ARGV[9]))
  redis.call('ZADD', key('expiry'), ARGV[8], slot)
end
redis.call('HSET', slots, slot, ARGV[3])
redis.call('ZADD', key('used'), ARGV[7], slot)
local link = cjson.decode(ARGV[3])
for n = 3, #link do redis.call('SADD', key(link[n]), slot) end
return {{alike, surplus, expired, evicted}}
"""
"""Returns {1, or 0 without vector sets; how many entries are too many yet; how many had expired and went; how many others}."""

# 1 made at, 2 bound, 3 steps
TRIM = f"""{_HEAD}{_TRIM}
if not generation then return {{0, 0, 0}} end
return {{trim(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))}}
"""
"""Returns {how many entries are too many yet; how many had expired and went; how many others}."""

# 1 entry, 2 slot, 3 alias, 4 group, 5 vector, 6 wording, 7 most aliases, 8 identity
ADD_ALIAS = f"""{_HEAD}
local entry, slot, alias, group = key('entry:' .. ARGV[1]), ARGV[2], key('entry:' .. ARGV[3]), ARGV[4]
local owner = generation and redis.call('HGET', entry, 'slot')
local link = owner and linked(owner)
local kept = link and link[1] == ARGV[1] and owner ~= slot and read(owner, link)
if not kept or cjson.decode(kept[1]).identity ~= ARGV[8] then return 0 end
local aliases = key('aliases:' .. ARGV[1])
if redis.call('SISMEMBER', aliases, slot) == 0 and redis.call('SCARD', aliases) >= tonumber(ARGV[7]) then return 0 end
if group ~= '' then
  local added = redis.pcall('VADD', key('near:' .. group), 'FP32', ARGV[5], slot, 'Q8', 'EF', {_LINKED_AMONG})
  if type(added) == 'table' and not unknown(added) then return added end
end
redis.call('HSET', alias, 'slot', slot, 'body', ARGV[6], 'vector', ARGV[5], 'of', ARGV[1])
local old = linked(slot)
if old and old[1] ~= ARGV[3] then drop(slot, old, group) end
local life = redis.call('PTTL', entry)
if life > 0 then redis.call('PEXPIRE', alias, life) end
redis.call('HSET', key('aliases'), slot, cjson.encode({{ARGV[3], group, 'aliases:' .. ARGV[1]}}))
redis.call('SADD', aliases, slot)
return 1
"""
"""Returns 1 when the entry is found by the wording now, 0 when it may not be."""

# 1 entry, 2 slot of the question, 3 what is noted, 4 most characters that are noted
REFUSE = f"""{_HEAD}
local entry = generation and key('entry:' .. ARGV[1])
if not entry or redis.call('EXISTS', entry) == 0 then return 0 end
local known = redis.call('HGET', entry, 'refused') or ''
if not string.find(known, ARGV[3], 1, true) then
  redis.call('HSET', entry, 'refused', string.sub(known .. ARGV[3], -tonumber(ARGV[4])))
end
local link = linked(ARGV[2])
if link and link[3] == 'aliases:' .. ARGV[1] then drop(ARGV[2], link) end
return 1
"""

# 1 slot
EXACT = f"""{_HEAD}
return generation and read(ARGV[1], linked(ARGV[1]))
"""
"""Returns {body, vector, expires, refused, wording of an alias or ""}, nothing without an entry."""

# 1 group, 2 vector, 3 how many, 4 now, 5 nodes looked at, 6 size up to which all are compared
NEAREST = f"""{_HEAD}
if not generation then return {{}} end
local near = key('near:' .. ARGV[1])
local size = redis.pcall('VCARD', near)
if type(size) == 'table' then return unknown(size) and 0 or size end
if size == 0 then return {{}} end
local search = {{'VSIM', near, 'FP32', ARGV[2], 'COUNT', ARGV[3], 'EF', ARGV[5]}}
if size <= tonumber(ARGV[6]) then table.insert(search, 'TRUTH') end
local found = redis.call(unpack(search))
for n, slot in ipairs(found) do
  local link = linked(slot)
  local content = read(slot, link)
  if content and not (content[3] ~= '' and tonumber(content[3]) <= tonumber(ARGV[4])) then
    found[n] = {{content[1], content[2], content[4], content[5]}}
  else
    found[n] = {{slot, link and link[1] or '', 0}}
  end
end
return found
"""
"""Returns {body, vector, refused, wording of an alias or ""} of each, or {slot, entry, 0} of what may not be served; 0 without
vector sets."""

# Pairs of slot and entry.
CLEAR = f"""{_HEAD}
for n = 1, #ARGV, 2 do
  local link = generation and linked(ARGV[n])
  if link and link[1] == ARGV[n + 1] then drop(ARGV[n], link) end
end
return 1
"""

# 1 entry, 2 now
MARK_USED = f"""{_HEAD}
local slot = generation and redis.call('HGET', key('entry:' .. ARGV[1]), 'slot')
if slot then redis.call('ZADD', key('used'), 'XX', ARGV[2], slot) end
return 1
"""

# Entries.
DELETE = f"""{_HEAD}
local gone = 0
for n = 1, generation and #ARGV or 0 do
  local slot = redis.call('HGET', key('entry:' .. ARGV[n]), 'slot')
  local link = slot and linked(slot)
  if link and link[1] == ARGV[n] then
    gone = gone + drop(slot, link)
  elseif slot then
    redis.call('UNLINK', key('entry:' .. ARGV[n]))
  end
end
return gone
"""
"""Returns how many there were."""

# 1 set, 2 "tenant:..." or "", 3 cursor, 4 steps
FORGET = f"""{_HEAD}
if not generation then return {{'0', 0, 0}} end
local scanned = redis.call('SSCAN', key(ARGV[1]), ARGV[3], 'COUNT', ARGV[4])
local cursor, gone, left = scanned[1], 0, tonumber(ARGV[4])
for _, slot in ipairs(scanned[2]) do
  local link = linked(slot)
  if not link then
    redis.call('SREM', key(ARGV[1]), slot)
  elseif ARGV[2] == '' or ARGV[2] == link[3] then
    if left == 0 then return {{ARGV[3], gone, 1}} end
    gone, left = gone + drop(slot, link), left - 1
  end
end
return {{cursor, gone, cursor == '0' and 0 or 1}}
"""
"""Returns {cursor, how many were removed, 1 when it is to be called again with this cursor}."""

COUNT = f"""{_HEAD}
return generation and redis.call('HLEN', slots) - 1 or 0
"""

COUNT_ALIASES = f"""{_HEAD}
return generation and redis.call('HLEN', key('aliases')) or 0
"""

FORGET_ALL = f"""{_HEAD}
local gone = generation and redis.call('HLEN', slots) - 1 or 0
redis.call('UNLINK', slots)
return {{generation or string.format('%.0f', micros()), gone}}
"""
"""Returns {the generation that ended, how many entries it had}: what it left is found by nobody and may be cleared away."""

CHECK = f"""{_HEAD}
local probe = base .. 'check'
redis.call('SET', probe, 1)
redis.call('UNLINK', probe)
local added = redis.pcall('VADD', probe, 'VALUES', 2, 0, 1, 'x', 'Q8')
redis.call('UNLINK', probe)
if type(added) == 'table' then return unknown(added) and 0 or added end
return 1
"""
"""Returns 1 when it can be written, 0 when it can and has no vector sets."""
