"""Give the editable install, and only that, the ``groat`` command.

The command needs the application (graph, nodes, serve), which no wheel carries; a wheel with a command that cannot work
would be worse than none.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommandHook(BuildHookInterface):  # type: ignore[type-arg]  # the generic parameter differs between hatchling versions
    """Adds ``serve/command.py`` as the script ``groat`` to editable wheels."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; ``version`` is "editable" or "standard"."""
        if version == "editable":
            build_data["shared_scripts"][str(Path(self.root, "serve", "command.py"))] = "groat"
