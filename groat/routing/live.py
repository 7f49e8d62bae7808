"""A router that follows promotions while it serves."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from groat.errors import ArtifactError, BadInput
from groat.routing.artifact import RouterArtifact
from groat.routing.router import Router
from groat.routing.versions import SHIPPED, RouterVersions

EVERY_S = 2.0
"""How often, at most, it is looked whether another version was promoted."""
_LOG = logging.getLogger(__name__)


class LiveRouter(Router):
    """The promoted router, the shipped one where none was promoted or the promoted one cannot be loaded.

    A promotion is seen by the first question that comes ``every_s`` after the last look; that question waits until the file is
    read, 0.3 s at most, and no other one. What cannot be loaded then is told in the log, and what served goes on.

    Args:
        versions: where they are.
        embedder: name of the embedder in use.
        shadow: version whose decisions are recorded beside; empty for none. Read once.
        every_s: how often, at most, to look.
        clock: seconds.
    """

    def __init__(
        self,
        versions: RouterVersions,
        *,
        embedder: str,
        shadow: str = "",
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read what serves."""
        self.warnings: list[str] = []
        """What is wrong with what was promoted or set, one sentence each; empty while all is as it should be."""
        self._versions = versions
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = clock()
        self._stamp = versions.stamp()
        self._embedder = embedder
        self._shadow_warning = ""
        candidate = self._candidate(shadow)
        self.name = SHIPPED
        """What serves: a version of one's own, or the shipped one."""
        super().__init__(self._first(), embedder=embedder, shadow=candidate, shipped=self._of_the_package())
        self._warn()

    async def refresh(self) -> None:
        """Take over what was promoted since; looks at one file's date, and not at every call."""
        now = self._clock()
        if now - self._looked < self._every_s:
            return
        self._looked = now
        await asyncio.to_thread(self._follow)

    def _follow(self) -> None:
        with self._lock:
            stamp = self._versions.stamp()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                name, artifact = self._checked()
            except ArtifactError as error:
                self.warnings = [f"{error}; {self.version} goes on serving"]
            else:
                self.name, self.warnings = name, []
                self._use(artifact)
            self._warn()

    def _first(self) -> RouterArtifact | None:
        try:
            self.name, artifact = self._checked()
            return artifact
        except ArtifactError as error:
            found = str(error)
        shipped = self._of_the_package()
        if shipped is not None and self._versions.stamp() is not None:
            self.warnings.append(f"{found}; the shipped router serves")
        return shipped

    def _of_the_package(self) -> RouterArtifact | None:
        """Return the shipped one; without it everything goes to the expensive model, and each route says so."""
        try:
            return self._versions.load(SHIPPED)
        except ArtifactError:
            return None

    def _checked(self) -> tuple[str, RouterArtifact]:
        name, artifact = self._versions.serving()
        if name != SHIPPED and artifact.embedder != self._embedder:
            raise ArtifactError(f"the promoted router {name!r} was fitted on vectors of {artifact.embedder!r}; fit it again")
        return name, artifact

    def _candidate(self, shadow: str) -> RouterArtifact | None:
        if not shadow:
            return None
        try:
            artifact = self._versions.load(shadow)
            if artifact.embedder == self._embedder:
                return artifact
            self._shadow_warning = f"the shadow {shadow!r} was fitted on vectors of {artifact.embedder!r}; fit it again"
        except (ArtifactError, BadInput) as error:
            self._shadow_warning = f"GROAT_ROUTE_SHADOW: {error}"
        return None

    def _warn(self) -> None:
        if self._shadow_warning:
            self.warnings = [*self.warnings, self._shadow_warning]
        for warning in self.warnings:
            _LOG.warning("%s", warning)
