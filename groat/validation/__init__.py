"""Is the answer fit to be served, and if not, what follows?"""

from groat.validation.acceptance import AcceptanceModel, evidence_of, worth
from groat.validation.agreement import agreement
from groat.validation.checks import CUT, MEASURED_EMBEDDER, check_answer, doubtful
from groat.validation.policy import decide, tier_after
from groat.validation.same_answer import same_answer
from groat.validation.structure import check_schema, schema_of, typed

__all__ = [
    "CUT",
    "MEASURED_EMBEDDER",
    "AcceptanceModel",
    "agreement",
    "check_answer",
    "check_schema",
    "decide",
    "doubtful",
    "evidence_of",
    "same_answer",
    "schema_of",
    "tier_after",
    "typed",
    "worth",
]
