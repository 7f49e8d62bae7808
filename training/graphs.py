"""Builds the graphs that `groat.judge.encoder` runs: E5's layers as ONNX nodes, without any weights.

The weights are named in the graph and handed over when a session opens, so the files hold a few kilobytes.
All matrix products and norms see the tokens of all texts packed end to end; only the attention lays them out as rows of
equal length. Run ``python -m training.graphs`` after a change.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnx import ModelProto, NodeProto, TensorProto, helper

from groat.judge.e5 import BLOCK, LOWER

HIDDEN, HEADS, INNER, LAYERS = 384, 12, 1536, 12
"""The sizes of multilingual-e5-small."""
FOLDER = Path(__file__).resolve().parent.parent / "groat" / "judge" / "graphs"
_EPSILON = 1e-12
CONTRIB = "com.microsoft"
OPSETS = (("", 17), (CONTRIB, 1))
IR = 8
_INT8_ACTIVATIONS = 4
"""The name that MatMulNBits gives to activations rounded to 8 bits, each 32 of a row with a scale of their own."""
_FLOAT, _BYTE, _INT, _LONG = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64


class Graph:
    """Nodes and the weights they name, in the order in which they were added."""

    def __init__(self) -> None:
        """Start without nodes."""
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self.constants: list[TensorProto] = []

    def add(self, kind: str, inputs: Sequence[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        """Append a node with one output, and return the name of that."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def weight(self, name: str, shape: Sequence[int], kind: int = _FLOAT) -> str:
        """Declare a tensor that is handed over when the session opens."""
        tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="handed-over")
        self.weights.append(tensor)
        return name

    def constant(self, name: str, values: Sequence[int], shape: Sequence[int] | None = None) -> str:
        """Declare a constant of whole numbers."""
        self.constants.append(helper.make_tensor(name, _LONG, [len(values)] if shape is None else shape, values))
        return name

    def matrix(self, states: str, name: str, rows: int, columns: int) -> str:
        """Multiply by a matrix in 4 bits, shape (rows, columns): (tokens, columns) to (tokens, rows)."""
        nibbles = self.weight(f"{name}.nibbles", (rows, columns // BLOCK, BLOCK // 2), _BYTE)
        scales = self.weight(f"{name}.scales", (rows, columns // BLOCK))
        return self.add(
            "MatMulNBits",
            [states, nibbles, scales],
            f"{name}.product",
            domain=CONTRIB,
            K=columns,
            N=rows,
            bits=4,
            block_size=BLOCK,
            accuracy_level=_INT8_ACTIVATIONS,
        )

    def norm(self, states: str, update: str, name: str, bias: str) -> str:
        """Return the norm of states + update + bias, shape (tokens, hidden)."""
        # Not SkipLayerNormalization, which does all of it in one: it takes four times as long.
        moved = self.add("Add", [update, self.weight(bias, [HIDDEN])], f"{name}.moved")
        inputs = [self.add("Add", [states, moved], f"{name}.sum")]
        inputs += [self.weight(f"{name}.w", [HIDDEN]), self.weight(f"{name}.b", [HIDDEN])]
        return self.add("LayerNormalization", inputs, f"{name}.out", axis=-1, epsilon=_EPSILON)

    def layer(self, states: str, number: int) -> str:
        """Append one layer of E5: post-norm, exact GELU; shape (tokens, hidden) in and out."""
        at = f"l{number}"
        mixed = self._attention(self.matrix(states, f"{at}.qkv", 3 * HIDDEN, HIDDEN), at)
        states = self.norm(states, self.matrix(mixed, f"{at}.ao", HIDDEN, HIDDEN), f"{at}.aln", f"{at}.ao.b")
        up = self.matrix(states, f"{at}.fi", INNER, HIDDEN)
        inner = self.add("BiasGelu", [up, self.weight(f"{at}.fi.b", [INNER])], f"{at}.gelu", domain=CONTRIB)
        return self.norm(states, self.matrix(inner, f"{at}.fo", HIDDEN, INNER), f"{at}.oln", f"{at}.fo.b")

    def _attention(self, product: str, at: str) -> str:
        """Let the tokens of each text look at each other: (tokens, 3 * hidden) to (tokens, hidden)."""
        laid = self.add("Gather", [product, "places"], f"{at}.laid", axis=0)
        parts = [f"{at}.query", f"{at}.key", f"{at}.value"]
        self.nodes.append(helper.make_node("Split", [laid], parts, name=f"{at}.split", axis=-1))
        inputs = [*parts, self.weight(f"{at}.qkv.b", [3 * HIDDEN]), "lengths"]
        mixed = self.add("MultiHeadAttention", inputs, f"{at}.mixed", domain=CONTRIB, num_heads=HEADS)
        return self.add("Gather", [self.add("Reshape", [mixed, "flat"], f"{at}.flat"), "back"], f"{at}.packed", axis=0)

    def model(self, name: str, given: str, result: str, shape: Sequence[str | int]) -> ModelProto:
        """Return the whole, with its inputs: packed tokens, where each text's tokens lie, and the way back."""
        inputs = [
            helper.make_tensor_value_info(given, _FLOAT, ["tokens", HIDDEN]),
            helper.make_tensor_value_info("places", _LONG, ["texts", "longest"]),
            helper.make_tensor_value_info("lengths", _INT, ["texts"]),
            helper.make_tensor_value_info("back", _LONG, ["tokens"]),
        ]
        outputs = [helper.make_tensor_value_info(result, _FLOAT, shape)]
        graph = helper.make_graph(self.nodes, name, inputs, outputs, [*self.weights, *self.constants])
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="groat")


def lower() -> ModelProto:
    """Return the graph from summed embeddings to the states after the lower layers, shape (tokens, hidden)."""
    graph = Graph()
    graph.constant("flat", [-1, HIDDEN])
    inputs = ["embedded", graph.weight("emb.ln.w", [HIDDEN]), graph.weight("emb.ln.b", [HIDDEN])]
    states = graph.add("LayerNormalization", inputs, "emb.out", axis=-1, epsilon=_EPSILON)
    for number in range(LOWER):
        states = graph.layer(states, number)
    return graph.model("lower", "embedded", states, ["tokens", HIDDEN])


def upper() -> ModelProto:
    """Return the graph from the states after the lower layers to E5's vectors, shape (texts, hidden), of unit length."""
    graph = Graph()
    graph.constant("flat", [-1, HIDDEN])
    states = "states"
    for number in range(LOWER, LAYERS):
        states = graph.layer(states, number)
    laid = graph.add("Gather", [states, "places"], "laid", axis=0)
    zero, one, axis = graph.constant("zero", [0], []), graph.constant("one", [1], []), graph.constant("axis", [1])
    shape = graph.add("Shape", ["places"], "shape")
    longest = graph.add("Gather", [shape, one], "longest", axis=0)
    order = graph.add("Range", [zero, longest, one], "order")
    lengths = graph.add("Unsqueeze", [graph.add("Cast", ["lengths"], "counts", to=_LONG), axis], "column")
    inside = graph.add(
        "Cast",
        [
            graph.add("Less", [order, lengths], "before"),
        ],
        "inside",
        to=_FLOAT,
    )
    row = graph.add("Unsqueeze", [inside, axis], "row")
    total = graph.add("Squeeze", [graph.add("MatMul", [row, laid], "sum"), axis], "total")
    # The length of the sum is the length of the mean times a number, which unit length takes away.
    graph.add("LpNormalization", [total], "vectors", axis=1, p=2)
    return graph.model("upper", "states", "vectors", ["texts", HIDDEN])


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(exist_ok=True)
    for model in (lower(), upper()):
        file = FOLDER / f"{model.graph.name}.onnx"
        file.write_bytes(model.SerializeToString(deterministic=True))
        sys.stdout.write(f"{file.name}: {file.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
