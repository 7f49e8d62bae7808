"""Who calls: API keys, the tenant that each stands for, and what it may do."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from groat.errors import SettingsError

Role = Literal["user", "writer", "reviewer", "owner"]
"""A user asks; a writer also changes documents and forgets answers; a reviewer instead reads what was asked, marks it and has
it examined; an owner does all of it."""

ALL_TENANTS = "*"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whom a key stands for."""

    tenant: str | None
    """None for all tenants."""
    role: Role
    key: str = field(default="local", compare=False)
    """Names the key in logs and limits: the first digits of its digest, never a part of the key."""

    @property
    def reviews(self) -> bool:
        """Whether the caller may read what was asked, of its tenants."""
        return self.role in ("reviewer", "owner")

    @property
    def writes(self) -> bool:
        """Whether the caller may change documents and forget answers, of its tenants."""
        return self.role in ("writer", "owner")

    def sees(self, tenant: str) -> bool:
        """Tell whether what belongs to a tenant may be shown to this caller."""
        return self.reviews and self.tenant in (None, tenant)


LOCAL = Caller(tenant=None, role="owner")
"""Whoever calls a server without keys, which listens on this machine alone."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    digest: bytes
    caller: Caller


class Keys:
    """The keys of a server; it keeps their digests alone."""

    def __init__(self, entries: Sequence[_Entry]) -> None:
        """Keep the entries."""
        self._entries = tuple(entries)

    @classmethod
    def read(cls, text: str) -> "Keys":
        """Read ``KEY=TENANT``, ``KEY=TENANT:ROLE`` or ``KEY=*:ROLE``, separated by commas; empty for no keys.

        Raises:
            SettingsError: an entry cannot be read, or two have the same key. The message shows no key.
        """
        entries = [_entry(part.strip(), number) for number, part in enumerate(text.split(","), 1) if part.strip()]
        if len({entry.digest for entry in entries}) < len(entries):
            raise SettingsError("two entries of GROAT_API_KEYS have the same key; give each caller a key of its own")
        return cls(entries)

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._entries)

    def caller(self, key: str) -> Caller | None:
        """Return whom a key stands for; None for an unknown key. Takes as long whichever key it is."""
        digest = _digest(key)
        found = None
        for entry in self._entries:
            if hmac.compare_digest(entry.digest, digest):
                found = entry.caller
        return found


def _entry(part: str, number: int) -> _Entry:
    key, _, whom = part.rpartition("=")
    tenant, _, role = whom.partition(":")
    if len(key.strip()) < 16 or not tenant.strip() or (role or "user") not in get_args(Role):
        raise SettingsError(
            f"entry {number} of GROAT_API_KEYS cannot be used; write KEY=TENANT or KEY=TENANT:ROLE with the role "
            "user, writer, reviewer or owner, * for all tenants, and a key of 16 characters or more"
        )
    if tenant.strip() == ALL_TENANTS and role in ("", "user"):
        raise SettingsError(f"entry {number} of GROAT_API_KEYS: who asks needs a tenant; * is for other roles: KEY=*:reviewer")
    digest = _digest(key.strip())
    return _Entry(
        digest=digest,
        caller=Caller(
            tenant=None if tenant.strip() == ALL_TENANTS else tenant.strip(),
            role=cast(Role, role or "user"),
            key=digest.hex()[:12],
        ),
    )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
