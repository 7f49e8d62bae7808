"""``groat serve``: the OpenAI-compatible endpoint, the review page and metrics over HTTP."""

from typing import Annotated

import typer
import uvicorn

from groat.errors import SettingsError
from serve.application import load_application
from serve.logs import set_up_logs
from serve.web.app import build_app
from serve.web.guard import LOOPBACK


def serve_command(
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine's own need GROAT_API_KEYS.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 8765,
) -> None:
    """Serve groat as a model (/v1), the review page (/review) and metrics (/metrics)."""
    application = load_application()
    if host not in LOOPBACK and not application.settings.api_keys.get_secret_value():
        raise SettingsError(
            f"--host {host} lets other machines in; set GROAT_API_KEYS first (KEY=TENANT:reviewer), or leave --host out"
        )
    # Who reads when is nobody's business; the lines of GROAT_LOG_REQUESTS name neither addresses nor texts.
    set_up_logs(application.settings.log_format)
    uvicorn.run(
        build_app(application), host=host, port=port, access_log=False, server_header=False, log_level="info", log_config=None
    )
