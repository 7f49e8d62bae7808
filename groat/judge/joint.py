"""Runs the trained layers over pairs of texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groat.errors import ArtifactError
from groat.judge.encoder import JudgeUnavailable, States

_MOST_TOKENS = 1024
"""In one call; more pairs take several."""
_FATAL_ONLY = 4
_PREFIX = 2
"""Tokens left out after the mark of begin: "que" and "ry" of "query:", whose colon stays, or "passage" and ":"."""


def unmarked(states: States) -> States:
    """Return the states that the joint layers read: the mark of begin and the text, shape (tokens, hidden).

    Two tokens of E5's prefix and the mark of end, three of about fifteen, say nothing that tells two texts apart, and cost a
    fifth of the time. A text without tokens of its own keeps them.
    """
    return states if len(states) <= _PREFIX + 2 else np.concatenate([states[:1], states[1 + _PREFIX : -1]])


class JointLayers:
    """The graph that ``training.joint_graph`` made, about 6 ms a pair of questions on one core without 8-bit dot products.

    Args:
        graph: its bytes.
        threads: how many cores one call may use.

    Raises:
        JudgeUnavailable: onnxruntime is missing.
        ArtifactError: onnxruntime cannot read the graph.
    """

    def __init__(self, graph: bytes, *, threads: int = 1) -> None:
        """Open the session."""
        self._session = _open(graph, threads)

    def logits(self, pairs: Sequence[tuple[States, States]]) -> NDArray[np.float32]:
        """Return a logit for each pair and head, shape (pairs, 3), finite."""
        out = np.zeros((len(pairs), 3), dtype=np.float32)
        order = sorted(range(len(pairs)), key=lambda place: sum(map(len, pairs[place])))
        start = 0
        while start < len(order):
            end, longest = start, 0
            # Sorted, so the next pair is the longest so far, and all are laid out as long as it.
            while end < len(order):
                longest = sum(map(len, pairs[order[end]]))
                if end > start and longest * (end - start + 1) > _MOST_TOKENS:
                    break
                end += 1
            part = order[start:end]
            out[part] = self._run([pairs[place] for place in part])
            start = end
        return out

    def _run(self, pairs: Sequence[tuple[States, States]]) -> NDArray[np.float32]:
        lengths = np.array([len(a) + len(b) for a, b in pairs], dtype=np.int32)
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        steps = np.arange(lengths.max())
        inside = steps < lengths[:, None]
        places = np.where(inside, begins[:, None] + steps, 0)
        first = steps < np.array([len(a) for a, _ in pairs])[:, None]
        given = {
            "states": np.concatenate([side for pair in pairs for side in pair]),
            "places": places.astype(np.int64),
            "lengths": lengths,
            "back": np.flatnonzero(inside.reshape(-1)).astype(np.int64),
            "first": first.astype(np.float32),
            "second": (inside & ~first).astype(np.float32),
        }
        (logits,) = self._session.run(["logits"], given)
        return np.asarray(logits, dtype=np.float32)


def _open(graph: bytes, threads: int) -> Any:  # onnxruntime has no types for its sessions
    try:
        import onnxruntime
    except (ImportError, OSError) as error:
        raise JudgeUnavailable(
            "the judge needs onnxruntime: pip install onnxruntime, or go without the judge: GROAT_JUDGE=off"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = _FATAL_ONLY
    # Threads that wait must not keep a core busy: one question needs a few milliseconds, a server waits seconds.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no class of their own
        raise ArtifactError(
            f"this onnxruntime cannot run the graph of the judge ({type(error).__name__}): pip install -U onnxruntime, "
            "reinstall groat, or go without the judge: GROAT_JUDGE=off"
        ) from error
