"""What the drop-in classes cost: time of forward and backward beside torch.nn's own.

    python -m benchmarks.cost > docs/cost.md

Both run in turns in one process, so that what else the machine does hits both alike.
"""

from __future__ import annotations

import logging
import math
import shutil
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.torch_nn import row, table, title
from benchmarks.torch_nn_pairs import Bench
from benchmarks.torch_nn_points import CASES, Case
from losscodegen.ir.loss import DomainKind, Loss, Variable
from losscodegen.judge.check import one_thread
from losscodegen.judge.tensors import differentiable, is_pointwise

ELEMENTS = 1_000_000
SIZES = {"B": 4096, "N": 4096, "...": 4096, "C": 100, "D": 128}
SMALLER: Mapping[str, Mapping[str, int]] = {
    "MultiLabelMarginLoss": {"B": 256, "C": 32},
}
"""Where the generated class compares all classes with all labels."""
COMPILED = (
    "BCEWithLogitsLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HuberLoss",
    "PoissonNLLLoss",
    "SoftMarginLoss",
)
"""These without options, as compiling takes a while."""
MUCH = 2.0
REPEATS, SECONDS = 15, 4.0
"""Repeats at most, and CPU seconds from which on no more follow."""

Run = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class Cost:
    """Median CPU seconds of torch's class and of the generated one, and of their ratio."""

    theirs: float
    ours: float
    ratio: float


def main() -> None:
    logging.getLogger("torch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # the mean of KLDivLoss is not that of batches
    with one_thread():
        print("\n".join(page(CASES, COMPILED)))


def page(
    cases: Iterable[Case],
    compiled: Iterable[str],
    sizes: Mapping[str, int] = SIZES,
    elements: int = ELEMENTS,
) -> Iterator[str]:
    bench = Bench()
    names = set(compiled) if shutil.which("g++") else set()
    lines: list[str] = []
    dear: dict[str, list[str]] = {"eager": [], "compiled": []}
    for case in cases:
        loss = bench.loss(case)
        found = {"eager": measure(bench, case, sizes, elements, compiled=False)}
        if case.loss in names and not case.options and not case.drawn:
            found["compiled"] = measure(bench, case, sizes, elements, compiled=True)
        for mode, cost in found.items():
            if cost.ratio > MUCH:
                dear[mode].append(f"{title(case)} ({cost.ratio:.1f})")
        shape = "x".join(map(str, shape_of(loss.inputs[0], loss, sizes, elements)))
        cells = [c for mode in dear for c in numbers(found.get(mode))]
        lines.append(row(title(case), shape, *cells))
    yield "# Time of the drop-in classes\n"
    yield (
        "Forward and backward of every class of `generated/torch_nn/` beside the class of "
        f"`torch.nn` that it replaces, float32, mean, one thread of a CPU, torch "
        f"{torch.__version__}. Milliseconds of CPU time, medians of up to {REPEATS} runs in turns "
        "after one to warm up; the ratio is the median of the ratios of neighbouring runs, and "
        "above 1 where the generated class is slower. The gradient is by all inputs but the "
        "target. Some classes are also compiled by `torch.compile`.\n"
    )
    for mode, rows in dear.items():
        yield (
            f"- {mode.capitalize()}, the generated class takes more than {MUCH:g} times as long "
            f"for: {'; '.join(rows) or 'none'}."
        )
    yield ""
    yield from table(
        *("class", "input", "torch ms>", "ours ms>", "ratio>"),
        *("torch compiled ms>", "ours compiled ms>", "ratio compiled>"),
    )
    yield from lines


def numbers(cost: Cost | None) -> tuple[str, str, str]:
    if cost is None:
        return "-", "-", "-"
    return f"{cost.theirs * 1e3:.3g}", f"{cost.ours * 1e3:.3g}", f"{cost.ratio:.2f}"


# ---------------------------------------------------------------- measuring


def measure(
    bench: Bench, case: Case, sizes: Mapping[str, int], elements: int, *, compiled: bool
) -> Cost:
    """Both classes in turns on the same inputs."""
    loss = bench.loss(case)
    torch.manual_seed(0)
    inputs = tuple(
        tensor(v, shape_of(v, loss, sizes, elements), class_count(loss, sizes))
        for v in loss.inputs
    )
    runs: list[Run] = []
    for cls in bench.classes[case.loss]:
        torch.manual_seed(0)
        module = build(cls, case, loss, sizes, elements)
        runs.append(torch.compile(module) if compiled else module)
    seconds: list[tuple[float, float]] = []
    for run in runs:
        once(run, inputs)
    while len(seconds) < REPEATS and sum(map(sum, seconds)) < SECONDS:
        seconds.append((once(runs[0], inputs), once(runs[1], inputs)))
    if compiled:
        torch.compiler.reset()
    return Cost(
        statistics.median(s[0] for s in seconds),
        statistics.median(s[1] for s in seconds),
        statistics.median(s[1] / s[0] for s in seconds),
    )


def once(run: Run, inputs: tuple[Tensor, ...]) -> float:
    """CPU seconds of one forward and backward."""
    for x in inputs:
        x.grad = None
    start = time.process_time()
    run(*inputs).backward()
    return time.process_time() - start


def build(
    cls: type[nn.Module],
    case: Case,
    loss: Loss,
    sizes: Mapping[str, int],
    elements: int,
) -> nn.Module:
    keywords: dict[str, object] = dict(case.options)
    for name in case.drawn:
        variable = loss.variable(name)
        # One weight for all elements: the classes broadcast it.
        shape = () if is_pointwise(loss) else shape_of(variable, loss, sizes, elements)
        keywords[variable.arg] = torch.rand(shape) + 0.5
    if loss.interface and loss.interface.layer:
        return cls(sizes["D"], class_count(loss, sizes), **keywords)
    return cls(**keywords)


def class_count(loss: Loss, sizes: Mapping[str, int]) -> int:
    return {**sizes, **SMALLER.get(loss.name, {})}["C"]


def shape_of(
    variable: Variable, loss: Loss, sizes: Mapping[str, int], elements: int
) -> tuple[int, ...]:
    if is_pointwise(loss):
        return (elements,)
    # Dims after those of batch and class are left out.
    axes = [a for k, a in enumerate(variable.axes) if a != "..." or k == 0]
    own = {**sizes, **SMALLER.get(loss.name, {})}
    return tuple(own[a] for a in axes)


def tensor(variable: Variable, shape: tuple[int, ...], classes: int) -> Tensor:
    """Random entries of the domain; what is no target requires its gradient."""
    kind = variable.domain.kind
    if kind is DomainKind.INDEX:
        if len(shape) == 1:
            return torch.randint(classes, shape)
        # As many labels as classes at most, in any order, ended by -1.
        labels = torch.rand(shape).argsort(dim=-1)
        kept = torch.randint(1, classes, (*shape[:-1], 1))
        return torch.where(torch.arange(classes) < kept, labels, -1)
    if kind is DomainKind.SIGN:
        return torch.randint(2, shape) * 2.0 - 1.0
    if kind is DomainKind.UNIT:
        made = torch.rand(shape)
        if variable.arg == "target" and len(shape) > 1:
            made = made / made.sum(dim=-1, keepdim=True)
    elif kind is DomainKind.NONNEGATIVE:
        made = torch.rand(shape) + 0.1
    else:
        made = torch.randn(shape)
    assert math.prod(shape) == made.numel()
    wanted = differentiable(variable) and variable.arg != "target"
    return made.requires_grad_(wanted)


if __name__ == "__main__":
    main()
