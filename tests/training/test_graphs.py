"""The graphs in the package against what builds them."""

from collections.abc import Callable

import pytest

pytest.importorskip("onnx", reason="needs onnx: make training-tools")

from onnx import ModelProto, TensorProto

from training import graphs


@pytest.mark.parametrize("build", [graphs.lower, graphs.upper])
def test_the_graphs_in_the_package_are_those_of_the_builder(build: Callable[[], ModelProto]) -> None:
    model = build()
    assert (graphs.FOLDER / f"{model.graph.name}.onnx").read_bytes() == model.SerializeToString(deterministic=True)


@pytest.mark.parametrize("build", [graphs.lower, graphs.upper])
def test_the_graphs_hold_no_weights_of_others(build: Callable[[], ModelProto]) -> None:
    tensors = build().graph.initializer
    inside = [tensor for tensor in tensors if tensor.data_location != TensorProto.EXTERNAL]
    assert {tensor.data_type for tensor in inside} == {TensorProto.INT64}
    assert len(tensors) - len(inside) > 50
