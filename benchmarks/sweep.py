"""Every 16th float32, and every one: how often a generated loss is off by more than 4 ulp.

    python benchmarks/sweep.py > docs/sweep.md

The reference is the module in float64, which `losscodegen check` judges. Numbers at which a result
leaves the range of float32 are not judged; those below the smallest normal number may be off by it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from losscodegen.judge.accused import Accused
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.sweep import Count, Slice, narrowed, slices, sweep
from losscodegen.language.parse import load_losses

ROOT = Path(__file__).parents[1]
LIMIT = 4.0
CHUNK = 2**20
PARTLY = (
    "soft_margin",
    "cauchy",
    "log_cosh",
    "gan_generator",
    "pseudo_huber",
    "welsch",
)
WHOLLY = "soft_margin"
STEP = 16


@dataclass(frozen=True, slots=True)
class Row:
    module: str
    step: int
    value: Count
    slope: Count
    seconds: float


def main() -> None:
    torch.set_num_threads(1)
    rows = [run(module, STEP) for module in PARTLY]
    rows.append(run(WHOLLY, 1))
    print("\n".join(page(rows)))


def numbers(start: int, step: int) -> Tensor:
    """The finite float32 among ``CHUNK`` bit patterns from ``start`` on, ``step`` apart."""
    bits = torch.arange(start, start + CHUNK * step, step, dtype=torch.int64)
    found = torch.where(bits >= 2**31, bits - 2**32, bits).to(torch.int32)
    floats = found.view(torch.float32)
    return floats[floats.isfinite()]


def run(module: str, step: int) -> Row:
    accused, one = subject(module)
    value, slope = Count(), Count()
    start = time.perf_counter()
    chunks = 2**32 // (CHUNK * step)
    for k in range(chunks):
        found = sweep(
            accused, one, numbers(k * CHUNK * step, step), Dtype.FLOAT32, LIMIT
        )
        value, slope = value + found[0], slope + found[1]
        if k % 32 == 31:
            share = (k + 1) / chunks
            print(f"{module}, step {step}: {share:.0%}", file=sys.stderr, flush=True)
    return Row(module, step, value, slope, time.perf_counter() - start)


def subject(module: str) -> tuple[Accused, Slice]:
    (path,) = (
        p for p in (ROOT / "specs").rglob(f"{module}.toml") if "torch_nn" not in p.parts
    )
    (loss,) = load_losses(path)
    text = (ROOT / "generated" / f"{module}.py").read_text(encoding="utf-8")
    return Accused.load(loss, text), narrowed(next(slices(loss)), Dtype.FLOAT32)


def page(rows: list[Row]) -> Iterator[str]:
    yield "# Sweeps over float32\n"
    yield (
        f"Every {STEP}th bit pattern of float32 (2^28 of them) through a generated loss of one "
        f"input, and all 2^32 through one; other inputs and parameters as in the example of the "
        f"spec. The reference is the same module in float64. Torch {torch.__version__}, CPU, "
        "one thread.\n"
    )
    yield (
        f"| loss | numbers | value: judged | beyond {LIMIT:g} ulp | wrong NaN or inf | worst | at "
        f"| gradient: judged | beyond {LIMIT:g} ulp | wrong NaN or inf | worst | at | seconds |"
    )
    yield "| --- | ---: |" + " ---: |" * 11
    for row in rows:
        parts = [
            f"{c.judged} | {c.beyond} | {c.broken} | {c.worst:.3g} | {c.at:.6g}"
            for c in (row.value, row.slope)
        ]
        count = "2^32" if row.step == 1 else "2^28"
        yield f"| {row.module} | {count} | {' | '.join(parts)} | {row.seconds:.0f} |"


if __name__ == "__main__":
    main()
