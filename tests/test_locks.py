"""What can be known of the dependencies without a network."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))
COMPROMISED = {"litellm": {"1.82.7", "1.82.8", "1.107.0"}}
"""Releases that were reported to hold what their makers did not write."""


def _pinned(lock: Path) -> list[tuple[str, str, str]]:
    """Return name, version and the whole entry of each line."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text(encoding="utf-8"))
    found = [(re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ \\;]+)", entry), entry) for entry in entries]
    return [(match[1].lower(), match[2], entry) for match, entry in found if match is not None]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_dependency_is_pinned_with_its_hashes(lock: Path) -> None:
    pinned = _pinned(lock)
    assert pinned
    assert [name for name, _, entry in pinned if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_names_an_index_or_a_machine(lock: Path) -> None:
    assert (
        re.findall(r"^(?:--(?!hash)|.*(?:https?://|file:|/home/|/root/|/opt/)).*$", lock.read_text(encoding="utf-8"), re.M)
        == []
    )


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_release_that_was_reported_as_compromised_is_pinned(lock: Path) -> None:
    assert [f"{name} {version}" for name, version, _ in _pinned(lock) if version in COMPROMISED.get(name, ())] == []
