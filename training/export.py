"""Writes what serving needs of a trained judge, and reads it back for more training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from groat.errors import BadInput
from groat.judge.e5 import E5File
from training.joint_graph import joint_graph, ranges_of
from training.model import Joint, from_e5
from training.rows import HEADS, Row
from training.states import StateStore

_BATCH = 32


def graph_of(joint: Joint, store: StateStore, rows: Sequence[Row]) -> bytes:
    """Return the graph in 8 bits.

    Args:
        joint: the trained network.
        store: the states of the rows' texts.
        rows: some hundred typical ones of every head: they say how large the numbers between the layers become.
    """
    store.prepare(rows)
    batches = (store.batch(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH))
    return bytes(joint_graph(joint, ranges_of(joint, batches)).SerializeToString())


def joint_of(graph: bytes, file: E5File) -> Joint:
    """Return the network that the graph was made from, up to the rounding to 8 bits: to go on training.

    A graph of fewer layers than are trained now becomes the top of the network; what lies below it starts as E5's.

    Raises:
        BadInput: the bytes are no such graph.
    """
    try:
        loaded = onnx.load_from_string(graph)
    except DecodeError as error:
        raise BadInput("what to start from is no ONNX graph; name a judge.onnx") from error
    tensors = {one.name: numpy_helper.to_array(one) for one in loaded.graph.initializer}
    joint = from_e5(file)
    known = sum(name.endswith(".across") for name in tensors)
    names = _names(known, len(joint.tops))
    below = len(joint.layers) - known
    if known == 0 or below < 0:
        raise BadInput(f"the graph has {known} joint layers, and 1 to {len(joint.layers)} are expected; name a judge.onnx")
    with torch.no_grad():
        for number, layer in enumerate(joint.layers[below:]):
            _fill(layer, f"layers.{number}.", tensors, names)
        _fill(joint.tops, "tops.", tensors, names)
    return joint


def _fill(module: nn.Module, at: str, tensors: Mapping[str, NDArray[Any]], names: Mapping[str, str]) -> None:
    for name, parameter in module.named_parameters():
        parameter.copy_(torch.from_numpy(_value(tensors, names[at + name])).reshape(parameter.shape))


def _value(tensors: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.float32]:
    value = tensors[name]
    if value.dtype == np.int8:
        value = value.T * tensors[name.removesuffix(".w") + ".s"][:, None]
    elif name.endswith(".last.w") and value.ndim == 2:
        value = value.T
    return np.array(value, dtype=np.float32, order="C")  # a copy: that of the graph is read-only


def _names(layers: int, heads: int) -> dict[str, str]:
    """Return parameter -> tensor of the graph."""
    names: dict[str, str] = {}
    for number in range(layers):
        at = f"layers.{number}"
        for part in ("qkv", "out", "up", "down", "norm", "last"):
            names[f"{at}.{part}.weight"], names[f"{at}.{part}.bias"] = f"j{number}.{part}.w", f"j{number}.{part}.b"
        names[f"{at}.across"] = f"j{number}.across"
    for number, head in enumerate(HEADS[:heads]):
        at = f"tops.{number}"
        for part in ("first", "last"):
            names[f"{at}.{part}.weight"], names[f"{at}.{part}.bias"] = f"{head}.{part}.w", f"{head}.{part}.b"
        names[f"{at}.scale"], names[f"{at}.offset"] = f"{head}.scale", f"{head}.offset"
    return names
