"""Which of the two models should answer?"""

from groat.routing.allowance import ASSUMED_LOSS, Allowance
from groat.routing.artifact import RouterArtifact
from groat.routing.kinds import question_kind
from groat.routing.router import Evidence, Router, promised

__all__ = ["ASSUMED_LOSS", "Allowance", "Evidence", "Router", "RouterArtifact", "promised", "question_kind"]
