"""Which of the two models should answer?"""

from groat.routing.artifact import RouterArtifact
from groat.routing.kinds import question_kind
from groat.routing.router import Evidence, Router, promised

__all__ = ["Evidence", "Router", "RouterArtifact", "promised", "question_kind"]
