"""The ``groat`` command in processes that a test may kill, forked from one that has imported it already."""

import json
import multiprocessing
import os
import socketserver
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path


def forking() -> ForkServerContext:
    """Return what makes the processes; the imports take place once, before the first of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["serve.cli.main", "graph.build", "groat.embedding.bundled", "evals.report"])
    return context


def begin(
    context: ForkServerContext, arguments: Sequence[str], *, folder: Path, environ: Mapping[str, str], log: Path
) -> ForkServerProcess:
    """Start ``groat ARGUMENTS`` in a folder; what it says goes to the log."""
    process = context.Process(target=_run, args=(list(arguments), str(folder), dict(environ), str(log)), daemon=True)
    process.start()
    return process


def _run(arguments: list[str], folder: str, environ: dict[str, str], log: str) -> None:
    for name in [name for name in os.environ if name.startswith(("GROAT_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_"))]:
        del os.environ[name]
    os.environ.update({"PYTHON_DOTENV_DISABLED": "1", **environ})
    os.chdir(folder)
    told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(told, 1)
    os.dup2(told, 2)
    sys.argv = ["groat", *arguments]
    from serve.cli.main import main  # imported by the server that this process was forked from

    main()


_WRAPPER = """#!{python}
import json, os, socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect({address!r})
environ = {{name: value for name, value in os.environ.items() if name.startswith(("GROAT_", "OPENAI_"))}}
log = os.path.abspath(f".groat-log-{{os.getpid()}}")
told = asked.makefile("rw")
told.write(json.dumps([sys.argv[1:], os.getcwd(), environ, log]) + "\\n")
told.flush()
code = json.loads(told.readline())
sys.stdout.write(open(log, encoding="utf-8").read())
os.remove(log)
sys.exit(code)
"""


@contextmanager
def groat_on_path(context: ForkServerContext, folder: Path) -> Iterator[Path]:
    """Put a command ``groat`` into a folder, whose processes are forked; yield the folder."""
    address = str(folder / "groat.sock")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            arguments, where, environ, log = json.loads(self.rfile.readline())
            process = begin(context, arguments, folder=Path(where), environ=environ, log=Path(log))
            process.join(300)
            self.wfile.write(f"{json.dumps(process.exitcode)}\n".encode())

    wrapper = folder / "groat"
    wrapper.write_text(_WRAPPER.format(python=sys.executable, address=address), encoding="utf-8")
    wrapper.chmod(0o755)
    with socketserver.ThreadingUnixStreamServer(address, Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield folder
        finally:
            server.shutdown()
            thread.join()
