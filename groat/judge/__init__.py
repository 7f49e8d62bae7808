"""One small judge of pairs: can one answer serve both questions, does a sentence answer, does a passage support?"""

from groat.judge.artifact import JudgeArtifact, Weights
from groat.judge.encoder import Encoder, JudgeUnavailable
from groat.judge.judge import Judge, Judged, PairJudge

__all__ = ["Encoder", "Judge", "JudgeArtifact", "JudgeUnavailable", "Judged", "PairJudge", "Weights"]
