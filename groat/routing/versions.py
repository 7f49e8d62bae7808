"""One's own routers in a folder, which of them serves, and which served before."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from groat.errors import ArtifactError, BadInput
from groat.routing.artifact import RouterArtifact

SHIPPED = "shipped"
"""Stands for the router that the package carries, wherever a version is named."""
_POINTER = "current"
_ENDING = ".npz"
_HISTORY = 100
"""Versions that served before, which are remembered."""


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """Which version serves."""

    current: str = SHIPPED
    before: tuple[str, ...] = ()
    """What served before, the newest last."""


class RouterVersions:
    """Versions in ``folder``, one file each, and the file ``current`` that names the one in force.

    Nothing serves until it is promoted. Every file is written whole or not at all, so another process reads the old state or
    the new one. Of two promotions at the same moment the later one stands.

    Args:
        folder: made at the first use, for the owner only.
        shipped: reads the router of the package.
    """

    def __init__(self, folder: Path, *, shipped: Callable[[], RouterArtifact] = RouterArtifact.load) -> None:
        """Read nothing yet."""
        self.folder = folder
        self._shipped = shipped

    def names(self) -> list[str]:
        """Return the versions, sorted: by date."""
        found = self.folder.glob(f"*{_ENDING}") if self.folder.is_dir() else ()
        return sorted(path.name.removesuffix(_ENDING) for path in found)

    def add(self, artifact: RouterArtifact) -> RouterArtifact:
        """Write a version down and return it; it does not serve yet.

        A version of the same name that holds something else is left as it is, and the new one gets a number behind its name.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, named = 1, artifact
        while (path := self.path(named.version)).exists() and not _same(path, named):
            number += 1
            named = replace(artifact, version=f"{artifact.version}.{number}")
        named.save(path)
        return named

    def path(self, version: str) -> Path:
        """Return the file of a version; it need not exist."""
        name = version.replace("/", "-")
        if not name.strip(".") or any(part in name for part in (os.sep, "\\", "\0")):
            raise BadInput(f"{version!r} is no version of a router; `groat route versions` lists them")
        return self.folder / f"{name}{_ENDING}"

    def load(self, version: str) -> RouterArtifact:
        """Return the version named: one of the folder, ``SHIPPED``, or a file of one's own, such as ``./router.npz``.

        Raises:
            BadInput: there is none of that name.
            ArtifactError: it is damaged, or was made for other features.
        """
        if version == SHIPPED:
            return self._shipped()
        if version.endswith(_ENDING) and Path(version).is_file():
            return RouterArtifact.load(Path(version))
        path = self.path(version)
        if not path.is_file():
            known = ", ".join([*self.names(), SHIPPED])
            raise BadInput(f"there is no router {version!r}; there are: {known}")
        return RouterArtifact.load(path)

    def pointer(self) -> Pointer:
        """Return which version serves; ``SHIPPED`` when none was ever promoted.

        Raises:
            ArtifactError: the file that says so is damaged.
        """
        path = self.folder / _POINTER
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            current, before = read["current"], read["before"]
            if not isinstance(current, str) or not all(isinstance(one, str) for one in before):
                raise TypeError
            return Pointer(current=current, before=tuple(before))
        except FileNotFoundError:
            return Pointer()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{path} does not say which router serves; promote one with `groat route promote VERSION`"
            ) from error

    def stamp(self) -> tuple[int, int] | None:
        """Return what changes with every promotion; None before the first."""
        try:
            status = (self.folder / _POINTER).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def serving(self) -> tuple[str, RouterArtifact]:
        """Return the name and the router that was promoted, the shipped one when none was.

        Raises:
            ArtifactError: it cannot be had.
        """
        current = self.pointer().current
        try:
            return current, self.load(current)
        except BadInput as error:
            raise ArtifactError(f"the promoted router {current!r} is gone; promote another, or roll back") from error

    def promote(self, version: str, *, embedder: str) -> RouterArtifact:
        """Let a version serve, from the next question on, and return it; ``rollback`` undoes it.

        Args:
            version: one of ``names``, or ``SHIPPED``.
            embedder: name of the embedder in use.

        Raises:
            BadInput: there is none of that name, or it serves already.
            ArtifactError: it cannot serve: it is damaged, or was made for other features or vectors. What served goes on.
        """
        try:
            before = self.pointer()
        except ArtifactError:
            # What served cannot be told; this promotion mends that.
            before = Pointer()
        artifact = self._fit_to_serve(version, embedder)
        name = version if version == SHIPPED else self.path(version).name.removesuffix(_ENDING)
        if name != SHIPPED and not self.path(name).is_file():
            raise BadInput(f"{version!r} is no version of {self.folder}; `groat route fit` writes versions there")
        if name == before.current:
            raise BadInput(f"the router {name!r} serves already")
        self._point(Pointer(current=name, before=(*before.before, before.current)[-_HISTORY:]))
        return artifact

    def rollback(self, *, embedder: str) -> tuple[str, RouterArtifact]:
        """Let serve what served before the last promotion, and return its name and itself.

        Raises:
            BadInput: nothing served before.
            ArtifactError: what served before cannot serve any more. What serves goes on.
        """
        now = self.pointer()
        if not now.before:
            raise BadInput(
                f"nothing served before {now.current!r}; `groat route promote {SHIPPED}` brings the shipped router back"
            )
        earlier = now.before[-1]
        artifact = self._fit_to_serve(earlier, embedder)
        self._point(Pointer(current=earlier, before=now.before[:-1]))
        return earlier, artifact

    def _fit_to_serve(self, version: str, embedder: str) -> RouterArtifact:
        artifact = self.load(version)
        if artifact.embedder != embedder:
            raise ArtifactError(
                f"the router {version!r} was fitted on vectors of {artifact.embedder!r}, and those in use are of {embedder!r}; "
                "fit it again. Nothing was changed"
            )
        return artifact

    def _point(self, pointer: Pointer) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.folder / f"{_POINTER}.{os.getpid()}.part"
        part.write_text(json.dumps({"current": pointer.current, "before": pointer.before}) + "\n", encoding="utf-8")
        part.replace(self.folder / _POINTER)


def _same(path: Path, artifact: RouterArtifact) -> bool:
    try:
        kept = RouterArtifact.load(path)
    except ArtifactError:
        return False
    return kept.card == json.loads(json.dumps(artifact.card)) and kept.version == artifact.version
