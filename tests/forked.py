"""The ``groat`` command in processes that a test may kill, forked from one that has imported it already."""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
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
