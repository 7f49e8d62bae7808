"""The ``groat`` command."""

from serve.cli.main import main

__all__ = ["main"]
