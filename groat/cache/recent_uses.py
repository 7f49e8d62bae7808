"""Which entries were marked as used a moment ago, so that not every hit writes to the store."""

from collections import OrderedDict
from typing import Final

AGAIN_S: Final = 60.0
"""Seconds until an entry is marked again: whose turn it is to go, among thousands, does not depend on a minute."""
_MOST: Final = 10_000


class RecentUses:
    """Remembers when each entry was marked, the newest ones; for one event loop at a time or several."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._marked: OrderedDict[str, float] = OrderedDict()

    def is_due(self, entry_id: str, *, now: float) -> bool:
        """Tell whether an entry should be marked, ``now`` in seconds; a clock that was set back makes it so."""
        last = self._marked.get(entry_id)
        return last is None or not 0 <= now - last < AGAIN_S

    def marked(self, entry_id: str, *, now: float) -> None:
        """Take note that the store was told."""
        self._marked[entry_id] = now
        if len(self._marked) > _MOST:
            self._marked.popitem(last=False)
