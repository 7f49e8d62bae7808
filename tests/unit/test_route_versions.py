"""Versions of the router in a folder: what serves, what served before, and what can never serve."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from groat.errors import ArtifactError, BadInput
from groat.routing.artifact import RouterArtifact
from groat.routing.live import LiveRouter
from groat.routing.router import Evidence
from groat.routing.versions import SHIPPED, RouterVersions
from tests.fakes import FixedClock, asked
from tests.routing import artifact_of

OLD, NEW = "2026-11-25/aaaaaaaa", "2026-11-26/bbbbbbbb"


def _shipped() -> RouterArtifact:
    return artifact_of(0.3, version="shipped-1")


def _versions(folder: Path) -> RouterVersions:
    versions = RouterVersions(folder / "routers", shipped=_shipped)
    versions.add(artifact_of(0.05, version=OLD))
    versions.add(artifact_of(0.2, version=NEW))
    return versions


def _damage(versions: RouterVersions, version: str) -> None:
    versions.path(version).write_bytes(versions.path(version).read_bytes()[:300])


def test_what_was_added_can_be_loaded_and_serves_only_when_promoted(tmp_path: Path) -> None:
    versions = _versions(tmp_path)
    assert versions.names() == ["2026-11-25-aaaaaaaa", "2026-11-26-bbbbbbbb"]
    assert versions.load(OLD).version == versions.load("2026-11-25-aaaaaaaa").version == OLD
    assert versions.serving()[0] == SHIPPED
    versions.promote(NEW, embedder="e")
    assert (versions.serving()[0], versions.serving()[1].version) == ("2026-11-26-bbbbbbbb", NEW)


def test_rolling_back_goes_through_all_that_served(tmp_path: Path) -> None:
    versions = _versions(tmp_path)
    versions.promote(OLD, embedder="e")
    versions.promote(NEW, embedder="e")
    assert versions.rollback(embedder="e")[1].version == OLD
    assert versions.rollback(embedder="e")[0] == SHIPPED
    with pytest.raises(BadInput, match="nothing served before 'shipped'"):
        versions.rollback(embedder="e")


@pytest.mark.parametrize("version", ["none-such", "..", "", ".", "current"])
def test_a_version_that_is_not_there_is_named_and_nothing_changes(version: str, tmp_path: Path) -> None:
    versions = _versions(tmp_path)
    with pytest.raises(BadInput):
        versions.promote(version, embedder="e")
    assert versions.serving()[0] == SHIPPED


def test_what_serves_already_is_not_promoted_again(tmp_path: Path) -> None:
    versions = _versions(tmp_path)
    versions.promote(NEW, embedder="e")
    with pytest.raises(BadInput, match="serves already"):
        versions.promote("2026-11-26-bbbbbbbb", embedder="e")
    assert versions.pointer().before == (SHIPPED,)


def test_a_router_that_cannot_serve_is_refused_and_the_old_one_goes_on(tmp_path: Path) -> None:
    versions = _versions(tmp_path)
    versions.promote(OLD, embedder="e")
    _damage(versions, NEW)
    with pytest.raises(ArtifactError, match="cannot be read"):
        versions.promote(NEW, embedder="e")
    versions.add(artifact_of(0.1, version="foreign", embedder="other"))
    with pytest.raises(ArtifactError, match="vectors of 'other'"):
        versions.promote("foreign", embedder="e")
    assert versions.serving()[1].version == OLD


def test_an_artifact_of_another_format_is_refused_and_the_old_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = _versions(tmp_path)
    versions.promote(OLD, embedder="e")
    with monkeypatch.context() as patched:
        patched.setattr("groat.routing.artifact.FORMAT", "router/1 old")
        versions.add(artifact_of(0.1, version="ancient"))
    with pytest.raises(ArtifactError, match=r"made as 'router/1 old'.*fit it again"):
        versions.promote("ancient", embedder="e")
    assert versions.serving()[1].version == OLD


def test_what_served_before_and_is_broken_now_is_not_rolled_back_to(tmp_path: Path) -> None:
    versions = _versions(tmp_path)
    versions.promote(OLD, embedder="e")
    versions.promote(NEW, embedder="e")
    _damage(versions, OLD)
    with pytest.raises(ArtifactError):
        versions.rollback(embedder="e")
    assert versions.serving()[1].version == NEW


def test_a_version_that_is_there_is_never_overwritten_by_another(tmp_path: Path) -> None:
    versions = _versions(tmp_path)
    same = versions.add(artifact_of(0.05, version=OLD))
    other = versions.add(replace(artifact_of(0.5, version=OLD), card={"date": "2026-11-26", "rows": 7}))
    assert (same.version, other.version) == (OLD, f"{OLD}.2")
    assert versions.load(OLD).card["rows"] == 500
    assert versions.load(f"{OLD}.2").card["rows"] == 7


def test_a_pointer_that_is_damaged_is_an_error_and_a_promotion_mends_it(tmp_path: Path) -> None:
    versions = _versions(tmp_path)
    (versions.folder / "current").write_text('{"current": 3}', encoding="utf-8")
    with pytest.raises(ArtifactError, match="does not say which router serves"):
        versions.serving()
    versions.promote(NEW, embedder="e")
    assert versions.serving()[1].version == NEW


def _tier(router: LiveRouter) -> str:
    vector = np.array([1.0, 0.0], dtype=np.float32)
    route = router.route(
        asked("Why is a gift card refused?"), vector, Evidence(similarities=[], documents=0), tier="auto", max_quality_loss=0.01
    )
    return f"{route['artifact']} {route['tier']}"


async def test_a_promotion_and_its_rollback_are_followed_without_a_restart(tmp_path: Path) -> None:
    versions, clock = _versions(tmp_path), FixedClock()
    router = LiveRouter(versions, embedder="e", clock=clock)
    assert (_tier(router), router.warnings) == ("shipped-1 expensive", [])
    versions.promote(OLD, embedder="e")
    await router.refresh()
    assert _tier(router) == "shipped-1 expensive"
    clock.now += 3
    await router.refresh()
    assert (_tier(router), router.name) == (f"{OLD} cheap", "2026-11-25-aaaaaaaa")
    versions.rollback(embedder="e")
    clock.now += 3
    await asyncio.gather(*(router.refresh() for _ in range(5)))
    assert _tier(router) == "shipped-1 expensive"


async def test_what_is_promoted_and_broken_while_serving_leaves_the_old_router_at_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    versions, clock = _versions(tmp_path), FixedClock()
    versions.promote(OLD, embedder="e")
    router = LiveRouter(versions, embedder="e", clock=clock)
    versions.promote(NEW, embedder="e")
    _damage(versions, NEW)
    clock.now += 3
    await router.refresh()
    assert _tier(router) == f"{OLD} cheap"
    assert f"{OLD} goes on serving" in caplog.text
    assert len(router.warnings) == 1


@pytest.mark.parametrize("break_it", ["damaged", "gone", "pointer", "vectors"])
def test_at_the_start_the_shipped_router_serves_in_place_of_a_broken_one(
    break_it: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    versions = _versions(tmp_path)
    versions.promote(NEW, embedder="e")
    match break_it:
        case "damaged":
            _damage(versions, NEW)
        case "gone":
            versions.path(NEW).unlink()
        case "pointer":
            (versions.folder / "current").write_text("{", encoding="utf-8")
        case _:
            artifact_of(0.1, version=NEW, embedder="other").save(versions.path(NEW))
    router = LiveRouter(versions, embedder="e")
    assert (router.version, router.name) == ("shipped-1", SHIPPED)
    assert "the shipped router serves" in caplog.text


@pytest.mark.parametrize("shadow", ["none-such", "foreign"])
def test_a_shadow_that_cannot_be_had_is_told_and_questions_are_routed_without_it(
    shadow: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    versions = _versions(tmp_path)
    versions.add(artifact_of(0.1, version="foreign", embedder="other"))
    router = LiveRouter(versions, embedder="e", shadow=shadow)
    assert (_tier(router), router.shadow) == ("shipped-1 expensive", "")
    assert shadow in caplog.text


def test_a_shadow_is_never_followed(tmp_path: Path) -> None:
    router = LiveRouter(_versions(tmp_path), embedder="e", shadow=OLD)
    assert (_tier(router), router.shadow) == ("shipped-1 expensive", OLD)


def test_without_any_router_everything_is_sent_up_and_nothing_is_raised(tmp_path: Path) -> None:
    def missing() -> RouterArtifact:
        raise ArtifactError("away")

    router = LiveRouter(RouterVersions(tmp_path, shipped=missing), embedder="e")
    assert _tier(router) == "none expensive"
    assert list(tmp_path.iterdir()) == []


def test_the_pointer_is_plain_json(tmp_path: Path) -> None:
    versions = _versions(tmp_path)
    versions.promote(NEW, embedder="e")
    told = json.loads((versions.folder / "current").read_text(encoding="utf-8"))
    assert told == {"current": "2026-11-26-bbbbbbbb", "before": [SHIPPED]}
