"""Find the files that an ingest reads."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from groat.errors import BadInput
from groat.knowledge.readers import SUFFIXES, is_readable_kind


@dataclass(frozen=True)
class Scope:
    """What one ingest covers."""

    roots: tuple[Path, ...]
    """The folders and files that were named, resolved."""
    files: tuple[Path, ...]
    """The files to read, resolved, each once, sorted within each root."""
    notes: tuple[tuple[Path, str], ...]
    """One sentence for each folder in which files of other kinds were skipped."""

    def covers(self, source: Path) -> bool:
        """Tell whether a file lies in what was named."""
        return any(source == root or source.is_relative_to(root) for root in self.roots)


def find_files(paths: Sequence[Path]) -> Scope:
    """Return the files that the paths name, folders searched through.

    Hidden files and folders are skipped, symbolic links to folders are not followed, links to files only within the folder.

    Raises:
        BadInput: no path is given, one does not exist, or there is nothing in it that can be read.
    """
    if not paths:
        raise BadInput("no path is given; name a folder or a file to ingest")
    roots: list[Path] = []
    files: dict[Path, None] = {}
    notes: list[tuple[Path, str]] = []
    for path in paths:
        root = _existing(path)
        roots.append(root)
        if root.is_dir():
            found, other_kinds = _walk(root)
            if not found:
                raise BadInput(f"the folder {str(path)!r} holds no file that can be read; kinds read: {', '.join(SUFFIXES)}")
            files |= dict.fromkeys(found)
            notes += [(root, _skipped(other_kinds))] if other_kinds else []
        elif is_readable_kind(root):
            files[root] = None
        else:
            raise BadInput(f"{str(path)!r} is of no kind that can be read; kinds read: {', '.join(SUFFIXES)}")
    return Scope(tuple(roots), tuple(files), tuple(notes))


def _existing(path: Path) -> Path:
    try:
        return Path(path).resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(f"{str(path)!r} does not exist; name a folder or a file to ingest") from error
    except (OSError, RuntimeError, ValueError) as error:  # links that lead to themselves, names too long, no permission
        raise BadInput(f"{str(path)!r} cannot be opened; check the path and its permissions") from error


def _walk(root: Path) -> tuple[list[Path], Counter[str]]:
    found: list[Path] = []
    other_kinds: Counter[str] = Counter()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or not _inside(path, root):
                continue
            if is_readable_kind(path):
                found.append(path.resolve())
            else:
                other_kinds[path.suffix.lower() or "no suffix"] += 1
    return found, other_kinds


def _inside(path: Path, root: Path) -> bool:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # a link that leads nowhere or to itself
        return False
    return target.is_file() and target.is_relative_to(root)


def _skipped(other_kinds: Counter[str]) -> str:
    kinds = ", ".join(f"{kind} ({number})" for kind, number in sorted(other_kinds.items()))
    return f"{other_kinds.total()} files of other kinds were skipped: {kinds}"
