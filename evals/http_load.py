"""A client that costs less than what it measures: HTTP/1.1 over open connections, one request after the other on each."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Load:
    """What came of some requests."""

    seconds: float = 0.0
    """From the first byte sent to the last one received."""
    times_ms: list[float] = field(default_factory=list)
    replies: list[dict[str, Any]] = field(default_factory=list)
    failed: int = 0
    """Replies of another status than 200."""

    @property
    def per_second(self) -> float:
        """Requests a second that were answered."""
        return len(self.times_ms) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Return the time that this share of the requests took at most, in milliseconds; share from 0 to 1."""
        ordered = sorted(self.times_ms)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


async def post(
    url: str, bodies: Sequence[Mapping[str, Any]], *, connections: int = 1, headers: Mapping[str, str] | None = None
) -> Load:
    """Post each body once, spread over the connections, and return what came."""
    load = Load()
    begun = time.perf_counter()
    await asyncio.gather(*(_one(url, bodies[place::connections], headers or {}, load) for place in range(connections)))
    load.seconds = time.perf_counter() - begun
    return load


async def _one(url: str, bodies: Sequence[Mapping[str, Any]], headers: Mapping[str, str], load: Load) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    try:
        for body in bodies:
            content = json.dumps(body).encode()
            begun = time.perf_counter()
            writer.write("\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content)
            status, reply = await _read(reader)
            load.times_ms.append((time.perf_counter() - begun) * 1000)
            if status == 200:
                load.replies.append(json.loads(reply))
            else:
                load.failed += 1
    finally:
        writer.close()
        await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in head[1:])}
    status = int(head[0].split()[1])
    if b"content-length" in fields:
        return status, await reader.readexactly(int(fields[b"content-length"]))
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return status, b"".join(parts)
