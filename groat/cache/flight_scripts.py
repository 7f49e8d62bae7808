"""What Redis itself does for questions in flight: Lua scripts, each of which happens as a whole or not at all."""

import hashlib

from groat.cache.flying import Flying

MOST_SHOWN = 32
"""Questions of one group, about 2 KB each, that others are compared with; further ones are shared by equal ones alone."""

# Every script's KEYS: 1 the lease, whose value is the run that leads; 2 how the run in ARGV[1] landed, a stream of at most one
# entry; 3 the hash of what flies in the group, from the key of a question to "RUN\nJSON\nvector". All
# have a short life, and the leases alone say who leads.

# ARGV: 1 run, 2 lease ms, 3 key, 4 what others are to know or "", 5 life of the hash in ms, 6 "1" to look, 7 prefix of leases,
# then the runs that were seen.
TAKE = f"""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
local flying, count = {{}}, 0
if ARGV[4] ~= '' then
  local seen = {{}}
  for n = 8, #ARGV do seen[ARGV[n]] = true end
  local all = redis.call('HGETALL', KEYS[3])
  for n = 1, #all, 2 do
    local run = string.match(all[n + 1], '^[^\\n]*')
    if redis.call('GET', ARGV[7] .. all[n]) ~= run then
      redis.call('HDEL', KEYS[3], all[n])
    else
      count = count + 1
      if run ~= ARGV[1] and not seen[run] then
        table.insert(flying, all[n])
        table.insert(flying, all[n + 1])
      end
    end
  end
  if ARGV[6] == '1' and not holder and #flying > 0 then return flying end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[4] ~= '' and count < {MOST_SHOWN} then
  redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
end
return ARGV[1]
"""
"""Returns the run that leads, or the others that fly: key, content, key, content ..."""

# ARGV: 1 run, 2 lease ms, 3 life of the hash in ms
RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

# ARGV: 1 run, 2 what is told of the landing or "", 3 for how many ms, 4 key
RELEASE = """
local shown = redis.call('HGET', KEYS[3], ARGV[4])
if shown and string.match(shown, '^[^\\n]*') == ARGV[1] then redis.call('HDEL', KEYS[3], ARGV[4]) end
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then
  redis.call('XADD', KEYS[2], '*', 'kept', ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return 1
"""

FLYING, GONE = -1, -2
# ARGV: 1 run
LOOK = f"""
local landed = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if landed then return tonumber(landed[2][2]) end
if redis.call('GET', KEYS[1]) == ARGV[1] then return {FLYING} end
return {GONE}
"""
"""Returns how it landed, 1 or 0, or one of the two above."""


def prefix(question: Flying) -> str:
    """Return how the names of all leases of the question's group begin."""
    # Braces put a whole group on one node of a Redis cluster: a script may only touch one.
    return f"groat:flight:{{{question.group}}}:"


def keys(question: Flying) -> tuple[str, str, str]:
    """Return the keys of a question that its run leads, or means to."""
    lease = f"{prefix(question)}{question.key}"
    size = 0 if question.vector is None else len(question.vector)
    made_by = hashlib.sha256(f"{question.embedder}\n{size}".encode("utf-8", "replace")).hexdigest()[:16]
    return lease, f"{lease}:landed:{question.run}", f"{prefix(question)}flying:{made_by}"
