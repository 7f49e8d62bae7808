"""Turns a trained judge into the graph that ``groat.judge.joint`` runs: matrices in 8 bits, the rest as it was trained."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from training.graphs import CONTRIB, IR, OPSETS
from training.model import Head, Joint, Layer, Pairs
from training.rows import HEADS

_FLOAT, _LONG, _INT = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32
_LARGEST = 127


class _Graph:
    """Nodes and weights, in the order in which they were added."""

    def __init__(self, ranges: Mapping[nn.Module, tuple[float, float]]) -> None:
        self._ranges = ranges
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def add(self, kind: str, inputs: Sequence[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def tensor(self, name: str, values: NDArray[np.generic]) -> str:
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def floats(self, name: str, values: Tensor) -> str:
        return self.tensor(name, values.detach().numpy().astype(np.float32))

    def linear(self, states: str, name: str, layer: nn.Linear) -> str:
        """Multiply by the matrix, both sides in 8 bits, and add the bias: (rows, in) to (rows, out)."""
        low, high = self._ranges[layer]
        step = np.float32((high - low) / 255)
        # Fixed steps, not those of the batch at hand: what is said of a pair must not depend on its company.
        given = self.tensor(f"{name}.as", np.array(step)), self.tensor(f"{name}.az", np.array(round(-low / step), np.uint8))
        rounded = self.add("QuantizeLinear", [states, *given], f"{name}.in")
        whole, scales = in_8_bits(layer.weight.detach().numpy())
        matrix = self.tensor(f"{name}.w", whole.T.copy()), self.tensor(f"{name}.s", scales)
        inputs = [rounded, matrix[0], given[0], matrix[1], given[1], "", self.floats(f"{name}.b", layer.bias)]
        return self.add("MatMulIntegerToFloat", inputs, f"{name}.out", domain=CONTRIB)

    def norm(self, states: str, update: str, name: str, norm: nn.LayerNorm) -> str:
        # Not SkipLayerNormalization, which does both in one: it takes four times as long.
        inputs = [self.add("Add", [states, update], f"{name}.sum")]
        inputs += [self.floats(f"{name}.w", norm.weight), self.floats(f"{name}.b", norm.bias)]
        return self.add("LayerNormalization", inputs, f"{name}.out", axis=-1, epsilon=norm.eps)


def in_8_bits(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return whole numbers of -127 to 127 and one scale a row, so that the product is close to the matrix (rows, columns)."""
    scales = np.maximum(np.abs(matrix).max(axis=1), 1e-8).astype(np.float32) / _LARGEST
    return np.rint(matrix / scales[:, None]).astype(np.int8), scales


def ranges_of(joint: Joint, batches: Iterable[Pairs]) -> dict[nn.Module, tuple[float, float]]:
    """Return the lowest and highest input of every matrix over the batches, 0 included."""
    joint.eval()
    ranges: dict[nn.Module, tuple[float, float]] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        low, high = ranges.get(module, (0.0, 0.0))
        ranges[module] = min(low, float(inputs[0].min())), max(high, float(inputs[0].max()))

    watched = [module for module in joint.modules() if isinstance(module, nn.Linear)]
    hooks = [module.register_forward_pre_hook(note) for module in watched]
    with torch.inference_mode():
        for batch in batches:
            joint(batch)
    for hook in hooks:
        hook.remove()
    return ranges


def joint_graph(joint: Joint, ranges: Mapping[nn.Module, tuple[float, float]]) -> ModelProto:
    """Return the graph from the packed states of pairs to their logits, shape (pairs, heads).

    Inputs: ``states`` (tokens, hidden), each pair's first text, then its second; ``places`` (pairs, longest), where each
    pair's tokens lie; ``lengths`` (pairs,); ``back`` (tokens,), where each token lies among all places; ``first`` and
    ``second`` (pairs, longest), 1 where a place belongs to that text.

    Args:
        joint: the trained network.
        ranges: of the input of every matrix; beyond them the input is cut.
    """
    joint.eval()
    graph = _Graph(ranges)
    hidden = cast(Layer, joint.layers[0]).out.in_features
    graph.tensor("flat", np.array([-1, hidden]))
    across = _across(graph)
    states = "states"
    for number, layer in enumerate(joint.layers):
        states = _layer(graph, states, f"j{number}", cast(Layer, layer), across)
    _heads(graph, states, [cast(Head, top) for top in joint.tops])
    inputs = [
        helper.make_tensor_value_info("states", _FLOAT, ["tokens", hidden]),
        helper.make_tensor_value_info("places", _LONG, ["pairs", "longest"]),
        helper.make_tensor_value_info("lengths", _INT, ["pairs"]),
        helper.make_tensor_value_info("back", _LONG, ["tokens"]),
        *(helper.make_tensor_value_info(side, _FLOAT, ["pairs", "longest"]) for side in ("first", "second")),
    ]
    outputs = [helper.make_tensor_value_info("logits", _FLOAT, ["pairs", len(HEADS)])]
    whole = helper.make_graph(graph.nodes, "joint", inputs, outputs, graph.weights)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS]
    return helper.make_model(whole, opset_imports=opsets, ir_version=IR, producer_name="groat")


def _across(graph: _Graph) -> str:
    """Return where query and key belong to different texts, shape (pairs, 1, longest, longest)."""
    column, row = graph.tensor("column", np.array([2])), graph.tensor("row", np.array([1]))
    ways = []
    for one, other in (("first", "second"), ("second", "first")):
        upright = graph.add("Unsqueeze", [one, column], f"{one}.column")
        ways.append(graph.add("MatMul", [upright, graph.add("Unsqueeze", [other, row], f"{other}.row")], f"{one}.{other}"))
    return graph.add("Unsqueeze", [graph.add("Add", ways, "across.both"), row], "across")


def _layer(graph: _Graph, states: str, at: str, layer: Layer, across: str) -> str:
    product = graph.linear(states, f"{at}.qkv", layer.qkv)
    laid = graph.add("Gather", [product, "places"], f"{at}.laid", axis=0)
    parts = [f"{at}.query", f"{at}.key", f"{at}.value"]
    graph.nodes.append(helper.make_node("Split", [laid], parts, name=f"{at}.split", axis=-1))
    bias = graph.add("Mul", [across, graph.floats(f"{at}.across", layer.across.view(1, -1, 1, 1))], f"{at}.bias")
    mixed = graph.add("MultiHeadAttention", [*parts, "", "lengths", bias], f"{at}.mixed", domain=CONTRIB, num_heads=layer.heads)
    packed = graph.add("Gather", [graph.add("Reshape", [mixed, "flat"], f"{at}.flat"), "back"], f"{at}.packed", axis=0)
    states = graph.norm(states, graph.linear(packed, f"{at}.out", layer.out), f"{at}.norm", layer.norm)
    inner = graph.add("Gelu", [graph.linear(states, f"{at}.up", layer.up)], f"{at}.gelu", domain=CONTRIB)
    return graph.norm(states, graph.linear(inner, f"{at}.down", layer.down), f"{at}.last", layer.last)


def _heads(graph: _Graph, states: str, tops: Sequence[Head]) -> None:
    laid = graph.add("Gather", [states, "places"], "laid", axis=0)
    zero, axis = graph.tensor("zero", np.array(0)), graph.tensor("axis", np.array([1]))
    begin = graph.add("Gather", [laid, zero], "begin", axis=1)
    means = []
    for side in ("first", "second"):
        weights = graph.add("Unsqueeze", [side, axis], f"{side}.weights")
        total = graph.add("Squeeze", [graph.add("MatMul", [weights, laid], f"{side}.sum"), axis], f"{side}.total")
        means.append(graph.add("Div", [total, graph.add("ReduceSum", [side, axis], f"{side}.count")], f"{side}.mean"))
    apart = graph.add("Abs", [graph.add("Sub", means, "difference")], "apart")
    shared, both = graph.add("Mul", means, "shared"), graph.add("Add", means, "both")
    features = graph.add("Concat", [begin, apart, shared, both], "features", axis=1)
    units = [graph.add("LpNormalization", [mean], f"{mean}.unit", axis=1, p=2) for mean in means]
    cosine = graph.add("ReduceSum", [graph.add("Mul", units, "products"), axis], "cosine")
    logits = []
    for name, top in zip(HEADS, tops, strict=True):
        inner = graph.add("Gelu", [graph.linear(features, f"{name}.first", top.first)], f"{name}.gelu", domain=CONTRIB)
        last = graph.floats(f"{name}.last.w", top.last.weight.T), graph.floats(f"{name}.last.b", top.last.bias)
        told = graph.add("Add", [graph.add("MatMul", [inner, last[0]], f"{name}.told"), last[1]], f"{name}.biased")
        shift = graph.add("Sub", [cosine, graph.floats(f"{name}.offset", top.offset)], f"{name}.shift")
        begun = graph.add("Mul", [shift, graph.floats(f"{name}.scale", top.scale)], f"{name}.begun")
        logits.append(graph.add("Add", [told, begun], f"{name}.logit"))
    graph.add("Concat", logits, "logits", axis=1)
