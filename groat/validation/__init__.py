"""Is the answer fit to be served, and if not, what follows?"""

from groat.validation.checks import check_answer
from groat.validation.policy import decide

__all__ = ["check_answer", "decide"]
