"""The application as a new process would open it."""

import sys

from serve.application import load_application


def forget_application() -> None:
    """Have the next command read the environment and open the engines anew."""
    load_application.cache_clear()
    sys.modules.pop("graph.app", None)
