"""The box ``validate`` with everybody who is to hear how questions end."""

from typing import TYPE_CHECKING

from graph.decompressing import Recorded, recorded
from graph.recording import EndsSeen, ends_seen
from graph.route_auditing import Watched, watched
from graph.shadowing import Shadowed
from nodes.validate import Validate

if TYPE_CHECKING:
    from graph.services import Services


def told(box: Validate, s: "Services") -> Validate | Watched | Recorded | EndsSeen | Shadowed:
    """Return the box, which tells audits, records, the recorder and the new configuration, as far as there are any."""
    ends = ends_seen(recorded(watched(box, s.route_audits), s.decompressions), s.recorder)
    return ends if s.shadow is None else Shadowed(box=ends, shadow=s.shadow)
