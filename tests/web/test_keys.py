"""Who is let in, and as whom."""

import pytest

from groat.errors import SettingsError
from serve.web.keys import Caller, Keys
from serve.web.sessions import LASTS_S, Sessions

ASKS, READS, ALL = "key-of-acme-asks-1", "key-of-acme-reads-1", "key-of-everybody-1"
TEXT = f"{ASKS}=acme, {READS}=租户:reviewer ,{ALL}=*:reviewer,"


def test_a_key_stands_for_its_tenant_and_role() -> None:
    keys = Keys.read(TEXT)
    assert keys.caller(ASKS) == Caller(tenant="acme", role="user")
    assert keys.caller(READS) == Caller(tenant="租户", role="reviewer")
    assert keys.caller(ALL) == Caller(tenant=None, role="reviewer")


@pytest.mark.parametrize("key", ["", "key-of-acme-asks-", ASKS.upper(), "另一个密钥另一个密钥另一个密钥", "\ud800"])
def test_an_unknown_key_stands_for_nobody(key: str) -> None:
    assert Keys.read(TEXT).caller(key) is None


def test_a_reviewer_sees_its_own_tenant_and_a_user_none() -> None:
    keys = Keys.read(TEXT)
    seen = {name: [tenant for tenant in ("acme", "租户") if _caller(keys, key).sees(tenant)] for name, key in _KEYS.items()}
    assert seen == {"asks": [], "reads": ["租户"], "all": ["acme", "租户"]}


@pytest.mark.parametrize(
    "text", ["just-a-key-of-enough", "short=acme", f"{ASKS}=", f"{ASKS}=acme:king", f"{ASKS}=*", f"{ASKS}=a,{ASKS}=b:reviewer"]
)
def test_an_entry_that_cannot_be_used_is_told_without_its_key(text: str) -> None:
    with pytest.raises(SettingsError, match="GROAT_API_KEYS") as raised:
        Keys.read(text)
    assert ASKS not in str(raised.value)
    assert "just-a-key" not in str(raised.value)


def test_a_key_may_hold_equals_signs() -> None:
    assert Keys.read("base64-like-key==+=acme").caller("base64-like-key==+") == Caller(tenant="acme", role="user")


def test_no_keys_is_falsy_and_knows_nobody() -> None:
    assert not Keys.read(" , ")
    assert Keys.read("").caller("") is None


def test_a_session_ends_when_its_time_is_up() -> None:
    now = [0.0]
    sessions = Sessions(clock=lambda: now[0])
    name = sessions.begin(Caller(tenant="acme", role="reviewer"))
    assert sessions.caller(name) == Caller(tenant="acme", role="reviewer")
    now[0] = LASTS_S
    assert sessions.caller(name) is None


def test_a_session_that_was_ended_is_nobodys() -> None:
    sessions = Sessions()
    name = sessions.begin(Caller(tenant=None, role="reviewer"))
    sessions.end(name)
    assert sessions.caller(name) is None


def test_sessions_are_bounded_and_the_newest_stay() -> None:
    sessions = Sessions()
    names = [sessions.begin(Caller(tenant=str(n), role="reviewer")) for n in range(1100)]
    assert sessions.caller(names[0]) is None
    assert sessions.caller(names[-1]) is not None


_KEYS = {"asks": ASKS, "reads": READS, "all": ALL}


def _caller(keys: Keys, key: str) -> Caller:
    caller = keys.caller(key)
    assert caller is not None
    return caller
