"""The addresses of Redis: TLS, users with few rights, Sentinels, and what is no single Redis at all. Each on a real one."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis import Redis

from groat.answering.limits import Limits
from groat.answering.limits_redis import RedisLimiter
from groat.cache import RedisStore
from groat.cache.counts import Cell
from groat.cache.counts_places import RedisCounts
from groat.errors import StorageError
from groat.redis_link import is_address, place
from tests.contract.test_answer_store import entry, put
from tests.redis_server import RedisServer, serve_redis, serve_sentinel

_CELL = Cell("2026-01-01", 0, "zh", "hit")


async def _works(url: str) -> None:
    """Keep an answer there and read it, count, and take a turn of the limits."""
    store = RedisStore(url, patience_s=5.0)
    try:
        await put(store, entry("a"))
        assert await store.exact("identity", "问题 a", now=200.0) == entry("a")
    finally:
        await store.aclose()
    counts = RedisCounts(url)
    await asyncio.to_thread(counts.add, "batch", {_CELL: 1})
    assert (await asyncio.to_thread(counts.read, [_CELL.day]))[_CELL] == 1


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with serve_redis(tmp_path) as server:
        yield server


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Return a certificate of this machine that is signed by itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@asynccontextmanager
async def _tls_before(server: RedisServer, certificate: Path, key: Path) -> AsyncIterator[int]:
    """Put TLS before a server that was built without; yield the port."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        there, out = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(_pass(reader, out), _pass(there, writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    proxy = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with proxy:
        yield proxy.sockets[0].getsockname()[1]
        await asyncio.gather(*serving)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await reader.read(1 << 16):
            writer.write(content)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def test_tls_is_checked_against_the_certificate(server: RedisServer, tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    async with _tls_before(server, certificate, key) as port:
        await _works(f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}")
        stranger = RedisStore(f"rediss://localhost:{port}/0", patience_s=5.0)
        with pytest.raises(StorageError, match="cannot be reached"):
            await stranger.count()
        await stranger.aclose()


async def test_a_user_who_may_touch_the_keys_of_groat_alone_is_enough(server: RedisServer) -> None:
    with Redis.from_url(server.url) as redis:
        redis.execute_command(
            "ACL", "SETUSER", "groat", "on", ">s3cret", "~groat:*", "+@all", "-@dangerous", "-@admin", "-keys"
        )
    await _works(f"redis://groat:s3cret@127.0.0.1:{server.port}/0")
    url = f"redis://groat:wrong@127.0.0.1:{server.port}/0"
    store = RedisStore(url, patience_s=5.0)
    with pytest.raises(StorageError, match="refuses this name and password") as refused:
        await store.count()
    await store.aclose()
    assert "wrong" not in str(refused.value)


async def test_every_key_begins_with_the_name_of_groat(server: RedisServer) -> None:
    await _works(server.url)
    limiter = RedisLimiter(server.url)
    await limiter.take("scope", Limits(requests=5), 1, "lease")
    await limiter.aclose()
    with Redis.from_url(server.url) as redis:
        assert {key.split(b":")[0] for key in redis.scan_iter()} == {b"groat"}


async def test_sentinels_lead_to_the_primary_and_to_the_next_one(tmp_path: Path) -> None:
    with ExitStack() as stack:
        # A replica is otherwise kept waiting for others that might come.
        primary = stack.enter_context(serve_redis(tmp_path, "--repl-diskless-sync-delay", "0"))
        stack.enter_context(serve_redis(tmp_path, "--replicaof", "127.0.0.1", str(primary.port)))
        port = stack.enter_context(serve_sentinel(tmp_path, primary))
        url = f"redis+sentinel://127.0.0.1:{port}/main/0"
        await _works(url)
        await asyncio.sleep(2)  # until the replica has what was kept, and the Sentinel knows the replica
        primary.kill()
        store = RedisStore(url, patience_s=5.0, rest_s=0.2)
        kept = None
        for _ in range(100):
            with suppress(StorageError):
                kept = await store.exact("identity", "问题 a", now=200.0)
                await put(store, entry("b"))
                break
            await asyncio.sleep(0.2)
        await store.aclose()
        assert kept == entry("a")


async def test_a_cluster_is_told(tmp_path: Path) -> None:
    with serve_redis(tmp_path, "--cluster-enabled", "yes") as server:
        store = RedisStore(server.url, patience_s=5.0)
        with pytest.raises(StorageError, match="is a Redis Cluster"):
            await put(store, entry("a"))
        await store.aclose()


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("redis+sentinel://user:p%40ss@a:26379,b:26379/main/2", True),
        ("rediss+sentinel://a:26379/main", True),
        ("redis+sentinel://a:26379", False),
        ("redis+sentinel://a/main", False),
        ("redis+sentinel://a:x/main", False),
    ],
)
def test_an_address_of_sentinels_is_read_or_refused(url: str, good: bool) -> None:
    assert is_address(url) is good
    assert "p%40ss" not in place(url)
