"""E5 in full precision, layer by layer: what the serving engine is compared with."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from groat.judge.e5 import LOWER, E5File
from groat.judge.encoder import Prefix
from groat.judge.tokens import E5Tokenizer
from training.model import Layer, fill_layer


class Reference:
    """Plain E5.

    Args:
        file: its weights.
        tokenizer: made from them.
    """

    def __init__(self, file: E5File, tokenizer: E5Tokenizer) -> None:
        """Read every layer."""
        self._file, self._tokenizer = file, tokenizer
        self._norm = nn.LayerNorm(file.hidden, eps=file.epsilon)
        self._layers = nn.ModuleList(Layer(file.hidden, file.heads, file.inner, file.epsilon) for _ in range(file.layers))
        with torch.no_grad():
            self._norm.weight.copy_(torch.from_numpy(file.floats("emb.ln.w").copy()))
            self._norm.bias.copy_(torch.from_numpy(file.floats("emb.ln.b").copy()))
            for number, layer in enumerate(self._layers):
                fill_layer(cast(Layer, layer), file, number)
        self._norm.eval()
        self._layers.eval()

    def states(self, texts: Sequence[str], *, prefix: Prefix, most_tokens: int = 64) -> list[NDArray[np.float32]]:
        """Return the states of each text after the lower layers, shape (tokens, hidden)."""
        return self._run(texts, prefix, most_tokens, LOWER)

    def vectors(self, texts: Sequence[str], *, prefix: Prefix, most_tokens: int = 512) -> NDArray[np.float32]:
        """Return E5's vectors, shape (texts, hidden), each of unit length."""
        means = np.stack([states.mean(0) for states in self._run(texts, prefix, most_tokens, self._file.layers)])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)

    def _run(self, texts: Sequence[str], prefix: Prefix, most: int, layers: int) -> list[NDArray[np.float32]]:
        ids = self._tokenizer.encode([prefix + text for text in texts], most=most)
        longest = max(map(len, ids))
        padded = np.array([line + [0] * (longest - len(line)) for line in ids])
        empty = torch.tensor([[place >= len(line) for place in range(longest)] for line in ids])
        with torch.inference_mode():
            states = self._begin(padded)
            shut = empty.to(states.dtype)[:, None, None, :] * -1e9
            across = torch.zeros(1, 1, 1, 1)
            for layer in list(self._layers)[:layers]:
                states = layer(states, shut, across)
        return [line[: len(own)].numpy() for line, own in zip(states, ids, strict=True)]

    def _begin(self, ids: NDArray[np.int64]) -> Tensor:
        words = self._file.word.rows(ids.reshape(-1)).reshape(*ids.shape, self._file.hidden)
        positions = self._file.floats("emb.pos").reshape(-1, self._file.hidden)[: ids.shape[1]]
        kind = self._file.floats("emb.type").reshape(-1, self._file.hidden)[0]
        return cast(Tensor, self._norm(torch.from_numpy(words + positions + kind)))
