"""What `groat doctor` says of the answer cache, wherever it is kept."""

from pathlib import Path
from typing import Any, cast

import pytest

from graph.services import open_services
from graph.settings import read_settings
from groat.errors import StorageError
from serve.application import Application
from serve.health import _cache as examine_cache
from tests.redis_server import serve_redis


def application(folder: Path, url: str) -> Application:
    settings = read_settings({"GROAT_DATA_DIR": str(folder), "GROAT_CACHE_URL": url}, home=folder)
    return Application(settings=settings, services=open_services(settings), graph=cast(Any, None))


@pytest.mark.parametrize(
    ("url", "where"),
    [("", "in this data folder; GROAT_CACHE_URL shares them among machines"), ("memory:", "in this process only")],
)
async def test_the_place_of_the_answers_is_told(tmp_path: Path, url: str, where: str) -> None:
    part = await examine_cache(application(tmp_path, url))
    assert (part["state"], part["says"].partition(", rule")[0]) == ("ok", f"0 answers kept {where}")


async def test_a_shared_redis_is_told_without_its_password(tmp_path: Path) -> None:
    with serve_redis(tmp_path, "--requirepass", "secret") as server:
        app = application(tmp_path, f"redis://:secret@127.0.0.1:{server.port}/0")
        part = await examine_cache(app)
        said = f"0 answers kept in Redis at 127.0.0.1:{server.port}, for all that share it"
        assert (part["state"], part["says"].partition(", rule")[0]) == ("ok", said)
        server.kill()
        with pytest.raises(StorageError, match=r"the answer cache in Redis at 127\.0\.0\.1:\d+ cannot be reached; start"):
            await examine_cache(app)
