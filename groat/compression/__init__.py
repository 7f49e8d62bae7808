"""Send the model the sentences that matter."""

from groat.compression.calibration import Calibration
from groat.compression.compressor import Compressor, full
from groat.compression.learned import LearnedStop
from groat.compression.pruning import Pruned, Pruner, ask_pruner
from groat.compression.ranking import rank_sentences

__all__ = ["Calibration", "Compressor", "LearnedStop", "Pruned", "Pruner", "ask_pruner", "full", "rank_sentences"]
