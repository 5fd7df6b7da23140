"""The table of ways in which a module is run."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from losscodegen.survival.devices import fake_cuda
from losscodegen.survival.sharding import batch_axis, class_axis, sharded
from losscodegen.survival.transforms import (
    autocast,
    core_aten,
    eager,
    exported,
    inductor,
    onnx,
    onnx_exact,
    through,
    vmap_of_grad,
)
from losscodegen.survival.way import Way

SAME = "value and gradient as right as `check` asks of the module itself"
ONNX = ("onnx", "onnxscript", "onnxruntime", "numpy")

EAGER = Way(name="eager", title="as it is", promise=SAME, run=through(eager))
"""What all others are held against: an entry that is wrong here counts against no way."""

WAYS: tuple[Way, ...] = (
    Way(
        name="inductor",
        title="torch.compile",
        promise=f"one graph, compiled once, with {SAME}",
        run=through(inductor),
    ),
    Way(
        name="export",
        title="torch.export",
        promise=f"the exported program has {SAME}",
        run=through(exported),
    ),
    Way(
        name="core-aten",
        title="torch.export, decomposed",
        orders=("value",),
        promise=(
            "in core ATen operators the value is as right as `check` asks; they have no `detach`, "
            "and what is decomposed is not differentiated"
        ),
        run=through(core_aten, slopes=False),
    ),
    Way(
        name="onnx",
        title="ONNX, onnxruntime",
        orders=("value",),
        promise="the value is as right as `check` asks; there is no gradient",
        run=through(onnx, slopes=False),
        requires=ONNX,
    ),
    Way(
        name="onnx-exact",
        title="ONNX with `losscodegen.survival.onnx_functions`",
        orders=("value",),
        promise="as `onnx`, exported with a table of the functions that ONNX lacks",
        run=through(onnx_exact, slopes=False),
        requires=ONNX,
    ),
    Way(
        name="autocast-bf16",
        title="autocast, bfloat16",
        promise="float32 inputs are computed in float32: " + SAME,
        run=through(autocast(torch.bfloat16)),
    ),
    Way(
        name="autocast-f16",
        title="autocast, float16",
        promise="float32 inputs are computed in float32: " + SAME,
        run=through(autocast(torch.float16)),
    ),
    Way(
        name="vmap",
        title="vmap of grad",
        promise=f"all points at once, with {SAME}",
        run=vmap_of_grad,
    ),
    Way(
        name="fake-cuda",
        title="fake CUDA",
        orders=(),
        promise="no tensor on the CPU, and a result in the dtype and on the device of the inputs",
        run=fake_cuda,
    ),
    Way(
        name="shard-batch",
        title="DTensor, batch cut",
        promise=f"on two processes, constants replicated, {SAME}",
        run=sharded(batch_axis, "there is no batch to cut"),
    ),
    Way(
        name="shard-classes",
        title="DTensor, classes cut",
        promise=f"on two processes, constants replicated, {SAME}",
        run=sharded(class_axis, "there is no second axis to cut"),
    ),
)

NAMES = tuple(way.name for way in WAYS)


def named(names: Sequence[str]) -> tuple[Way, ...]:
    """The ways called so, in the order of the table; KeyError if there is none of a name."""
    if strange := set(names) - set(NAMES):
        raise KeyError(min(strange))
    return tuple(way for way in WAYS if way.name in names)
