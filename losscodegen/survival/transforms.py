"""The ways that transform a module within one process: compiled, exported, cast, vectorised."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import TORCH, Result, Stack, bind
from losscodegen.survival.entry import Call, EntryPoint, Prepare, apart, run_group
from losscodegen.survival.onnx_functions import translations
from losscodegen.survival.plan import Group
from losscodegen.survival.way import Run, Subject


def through(prepare: Prepare, *, slopes: bool = True) -> Run:
    """The way in which a module is transformed once and called at every point."""

    def run(subject: Subject, group: Group, dtype: Dtype) -> list[Result]:
        return run_group(subject.accused, group, dtype, prepare, slopes=slopes)

    return run


def eager(entry: EntryPoint, example: Sequence[Tensor]) -> Call:
    return entry


def inductor(entry: EntryPoint, example: Sequence[Tensor]) -> Call:
    """One graph, for a break would hide what cannot be compiled, and one compilation."""
    torch._dynamo.reset()
    compiled: Call = torch.compile(entry, fullgraph=True, dynamic=False)

    def call(*tensors: Tensor) -> Tensor:
        # A second compilation at equal shapes is one too many: it would be one for every batch.
        with (
            torch._dynamo.config.patch(error_on_recompile=True),
            torch._inductor.config.patch(compile_threads=1),
        ):
            return compiled(*tensors)

    return call


def exported(entry: EntryPoint, example: Sequence[Tensor]) -> Call:
    run: Call = torch.export.export(entry, tuple(example)).module()
    return run


def core_aten(entry: EntryPoint, example: Sequence[Tensor]) -> Call:
    """As the compilers of other devices get it."""
    program = torch.export.export(entry, tuple(example))
    run: Call = program.run_decompositions().module()
    return run


def autocast(dtype: torch.dtype) -> Prepare:
    """The forward pass under autocast, the backward pass outside, as PyTorch recommends."""

    def prepare(entry: EntryPoint, example: Sequence[Tensor]) -> Call:
        def call(*tensors: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=dtype):
                return entry(*tensors)  # type: ignore[no-any-return]

        return call

    return prepare


def onnx(entry: EntryPoint, example: Sequence[Tensor]) -> Call:
    """Exported, and run by onnxruntime with all optimizations, as by default."""
    return _onnx(entry, example, None)


def onnx_exact(entry: EntryPoint, example: Sequence[Tensor]) -> Call:
    """The same with the project's own table of functions that ONNX lacks."""
    return _onnx(entry, example, translations())


def _onnx(
    entry: EntryPoint, example: Sequence[Tensor], table: dict[Any, Any] | None
) -> Call:
    import onnxruntime

    names = [f"argument_{k}" for k in range(len(example))]
    program = torch.onnx.export(
        entry.eval(),
        tuple(t.detach() for t in example),
        input_names=names,
        dynamo=True,
        verbose=False,
        custom_translation_table=table,
    )
    assert program is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        program.model_proto.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )
    taken = {node.name for node in session.get_inputs()}

    def call(*tensors: Tensor) -> Tensor:
        arrays = (t.detach().contiguous().numpy() for t in tensors)
        feed = {n: a for n, a in zip(names, arrays, strict=True) if n in taken}
        return torch.as_tensor(session.run(None, feed)[0])

    return call


def vmap_of_grad(subject: Subject, group: Group, dtype: Dtype) -> list[Result]:
    """All points at once: ``vmap(grad(loss))``, as per-sample gradients are computed."""
    accused, loss = subject.accused, subject.loss
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bounds = [bind(loss, p.values, TORCH[dtype]) for p in group.points]
        entry = EntryPoint(accused, bounds[0])
        rows = [entry.arguments(accused, bound) for bound in bounds]
        wanted = tuple(k for k, t in enumerate(rows[0]) if t.requires_grad)
        columns = [
            torch.stack([t.detach() for t in c]) for c in zip(*rows, strict=True)
        ]

        def total(*tensors: Tensor) -> tuple[Tensor, Tensor]:
            value = entry(*tensors)
            return value.sum(), value

        def both(*tensors: Tensor) -> Any:
            if not wanted:
                return (), total(*tensors)[1]
            return torch.func.grad(total, argnums=wanted, has_aux=True)(*tensors)

        slopes, values = torch.func.vmap(both)(*columns)
    results: dict[int, Result] = {}
    for k in range(len(group.points)):
        stack = Stack(places=(k,), values=group.points[k].values, joined=False)
        gradient = {
            entry.names[at]: slope[k] for at, slope in zip(wanted, slopes, strict=True)
        }
        results.update(apart(loss, stack, values[k].detach(), gradient))
    return [results[k] for k in range(len(group.points))]
