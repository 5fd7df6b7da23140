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
from functools import cache, partial

import torch
from torch import Tensor, nn

import losscodegen
from benchmarks.torch_nn import row, table, title
from benchmarks.torch_nn_pairs import ROOT, Bench
from benchmarks.torch_nn_points import CASES, Case
from losscodegen.ir.loss import DomainKind, Loss, Variable
from losscodegen.judge.check import one_thread
from losscodegen.judge.tensors import differentiable, is_pointwise
from losscodegen.language.parse import load_losses

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
    """Median CPU seconds of torch's class and of the generated ones, and of their ratios."""

    theirs: float
    ours: tuple[float, ...]
    ratios: tuple[float, ...]


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
    plain: dict[str, list[str]] = {"eager": [], "compiled": []}
    for case in cases:
        loss = bench.loss(case)
        modes = ["eager"]
        if case.loss in names and not case.options and not case.drawn:
            modes.append("compiled")
        ran = partial(measure, bench, case, sizes, elements)
        found = {mode: ran(compiled=mode == "compiled") for mode in modes}
        if any(cost.ratios[0] > MUCH for cost in found.values()):
            # Once more, all three in turns.
            found = {m: ran(compiled=m == "compiled", absolute=True) for m in modes}
        if all(cost.ratios[0] <= MUCH for cost in found.values()):
            found = {mode: without_absolute(cost) for mode, cost in found.items()}
        for mode, cost in found.items():
            for slow, ratio in zip((dear, plain), cost.ratios, strict=False):
                if ratio > MUCH:
                    slow[mode].append(f"{title(case)} ({ratio:.1f})")
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
        "target. Some classes are also compiled by `torch.compile`. Where the accurate class takes "
        f"more than {MUCH:g} times as long as torch's, `absolute` is the class that `losscodegen "
        "generate --accuracy absolute` makes of the same spec.\n"
    )
    for what, table_ in (("", dear), (" with absolute accuracy", plain)):
        for mode, rows in table_.items():
            yield (
                f"- {mode.capitalize()}, the generated class{what} takes more than {MUCH:g} times "
                f"as long for: {'; '.join(rows) or 'none'}."
            )
    yield ""
    yield from table(
        *("class", "input", "torch ms>", "ours ms>", "ratio>"),
        *("absolute ms>", "ratio absolute>"),
        *("torch compiled ms>", "ours compiled ms>", "ratio compiled>"),
        *("absolute compiled ms>", "ratio absolute compiled>"),
    )
    yield from lines


def without_absolute(cost: Cost) -> Cost:
    """What is not dear after all does not need it."""
    return Cost(cost.theirs, cost.ours[:1], cost.ratios[:1])


def numbers(cost: Cost | None) -> list[str]:
    if cost is None:
        return ["-"] * 5
    cells = [f"{cost.theirs * 1e3:.3g}"]
    for seconds, ratio in zip(cost.ours, cost.ratios, strict=True):
        cells += [f"{seconds * 1e3:.3g}", f"{ratio:.2f}"]
    return [*cells, "-", "-"][:5]


# ---------------------------------------------------------------- measuring


def measure(
    bench: Bench,
    case: Case,
    sizes: Mapping[str, int],
    elements: int,
    *,
    compiled: bool,
    absolute: bool = False,
) -> Cost:
    """The classes in turns on the same inputs, with that of ``absolute`` accuracy if asked for."""
    loss = bench.loss(case)
    torch.manual_seed(0)
    inputs = tuple(
        tensor(v, shape_of(v, loss, sizes, elements), class_count(loss, sizes))
        for v in loss.inputs
    )
    runs: list[Run] = []
    classes = [*bench.classes[case.loss]]
    if absolute:
        classes.append(plain_class(case.loss))
    for cls in classes:
        torch.manual_seed(0)
        module = build(cls, case, loss, sizes, elements)
        runs.append(torch.compile(module) if compiled else module)
    seconds: list[tuple[float, ...]] = []
    for run in runs:
        once(run, inputs)
    while len(seconds) < REPEATS and sum(map(sum, seconds)) < SECONDS:
        seconds.append(tuple(once(run, inputs) for run in runs))
    if compiled:
        torch.compiler.reset()
    return Cost(
        statistics.median(s[0] for s in seconds),
        tuple(statistics.median(times) for times in [*zip(*seconds, strict=True)][1:]),
        tuple(
            statistics.median(s[k] / s[0] for s in seconds) for k in range(1, len(runs))
        ),
    )


@cache
def plain_class(name: str) -> type[nn.Module]:
    """The class of absolute accuracy."""
    (path,) = (
        path
        for path in sorted((ROOT / "specs" / "torch_nn").glob("*.toml"))
        if any(loss.name == name for loss in load_losses(path))
    )
    module = losscodegen.load(path, accuracy="absolute")
    cls = getattr(module, name.replace("Probabilities", ""))
    assert isinstance(cls, type) and issubclass(cls, nn.Module)
    return cls


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
