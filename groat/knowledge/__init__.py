"""Documents: read, split, embedded, searched; what they were when an answer was made, and what they are now."""

from groat.knowledge.base import KnowledgeBase
from groat.knowledge.documents import IngestReport, Progress
from groat.knowledge.langchain import GroatRetriever, RetrieverKnowledge
from groat.knowledge.protocol import Knowledge

__all__ = ["GroatRetriever", "IngestReport", "Knowledge", "KnowledgeBase", "Progress", "RetrieverKnowledge"]
