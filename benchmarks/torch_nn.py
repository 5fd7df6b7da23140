"""The generated replacements of torch.nn's losses beside torch.nn's own: a page.

    python -m benchmarks.torch_nn > docs/torch_nn.md

Both are held, entry by entry with ``reduction="none"``, against the judge's truth: the exact value
and gradient of the mathematics of the spec at the very numbers of the point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from benchmarks.torch_nn_pairs import LIMITS, Bench, Pair
from benchmarks.torch_nn_points import CASES, FACTS, Case, Fact
from losscodegen.judge.check import one_thread
from losscodegen.judge.criterion import Fault
from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.table import format_ulp
from losscodegen.judge.wording import format_number

DTYPES = (Dtype.FLOAT32, Dtype.FLOAT64)
MARGIN = 2.0
"""Ulp by which a replacement may be worse at a point before that is listed."""


INTRODUCTION = (
    "Every class of `generated/torch_nn/` beside the class of `torch.nn` that it replaces, torch "
    f'{torch.__version__}, CPU. Value (`reduction="none"`) and gradient of its sum are compared '
    "entry by entry with the exact mathematics of the spec at the numbers of the point. The specs "
    "state what torch documents, with its `eps` and its clamps; a row says so. Points: random bit "
    "patterns, numbers in [-50, 50], confident predictions, a common offset of 1e4, equal and "
    "nearly equal inputs, zeros, scales of 1e30 and 1e-30. At a kink any subgradient is right; "
    "entries without an exact answer, and gradients of a loss beyond the range of the format, are "
    "left out. Errors are in ulp. An entry is wrong if it is off by more than "
    f"{LIMITS.value:g} ulp and by more than {LIMITS.scaled:g} times what one ulp of the inputs "
    "changes, unless it is right on the other side of a decision that rounding makes there. Where "
    "the exact gradient is infinite, as of `y*log(y)` at 0, any finite number is right. Numbers "
    "near the ends of the range count like all others, which the judge excuses."
)
WEAK = (
    "Where torch 2.13 was found to be off plain mathematics, with its worst entry. Labels and all "
    f"numbers are taken as exact here: off is who is more than {LIMITS.value:g} ulp away at any "
    "entry, in parentheses if one ulp of the inputs changes as much. If neither is off, the spec "
    "states the same as torch."
)
Row = tuple[Case, Dtype, list[Pair]]


def main() -> None:
    with one_thread():
        print("\n".join(page(CASES, FACTS)))


def page(cases: Iterable[Case], facts: Iterable[Fact]) -> Iterator[str]:
    bench = Bench()
    rows = [(c, d, bench.case(c, d)) for c in cases for d in DTYPES]
    known = [(f, d, bench.fact(f, d)) for f in facts for d in DTYPES]
    worse = [(c, d, [x for x in p if x.ulp[1] > x.ulp[0] + MARGIN]) for c, d, p in rows]
    yield "# The drop-in classes beside torch.nn\n"
    yield INTRODUCTION + "\n"
    yield from summary(rows, known, worse)
    yield "\n## Known weak points\n"
    yield WEAK + "\n"
    yield from table(
        "class", "dtype", "at", "found", "entry", "exact>", "torch>", "ours>", "off"
    )
    for fact, dtype, pairs in known:
        yield fact_row(fact, dtype, pairs)
    yield "\n## Every class\n"
    yield (
        "The worst error in ulp; how many entries are wrong, and of these how many a NaN, an "
        "infinity, a zero.\n"
    )
    yield from table(
        *(
            "class",
            "dtype",
            "entries>",
            "torch value>",
            "ours>",
            "torch gradient>",
            "ours>",
        ),
        *("torch wrong>", "ours>", "torch is worst at", "by design"),
    )
    for case, dtype, pairs in rows:
        yield case_row(case, dtype, pairs)
    yield f"\n## Worse than torch by more than {MARGIN:g} ulp\n"
    yield (
        "How many entries are, how many of these are wrong, and the worst: with its error in ulp, "
        "and in parentheses in units of what one ulp of the inputs changes.\n"
    )
    yield from table(
        "class",
        "dtype",
        "entries>",
        "wrong>",
        "entry",
        "at",
        "exact>",
        "torch>",
        "ours>",
    )
    for case, dtype, pairs in worse:
        if pairs:
            yield worse_row(case, dtype, pairs)


def summary(
    rows: list[Row], known: list[tuple[Fact, Dtype, list[Pair]]], worse: list[Row]
) -> Iterator[str]:
    weak = [p for *_, p in known if is_off(p, 0)]
    cured = sum(not is_off(p, 1) for p in weak)
    right = [sum(not is_wrong(p, side) for *_, p in rows) for side in (0, 1)]
    spoilt = [
        f"{title(c)} in {d.value}"
        for c, d, p in worse
        if any(x.wrong(1) and not x.wrong(0) for x in p)
    ]
    yield (
        f"- Of {len(rows)} rows torch has no wrong entry in {right[0]}, the generated class in "
        f"{right[1]}."
    )
    yield (
        f"- In {sum(not p for *_, p in worse)} of {len(rows)} rows the generated class is nowhere "
        f"more than {MARGIN:g} ulp worse than torch's. The others are listed below; an entry that "
        f"is wrong there and right in torch: {'; '.join(spoilt) or 'none'}."
    )
    yield (
        f"- At {len(weak)} of {len(known)} known weak points torch is off, and at {cured} of these "
        "the generated class is not."
    )


def is_wrong(pairs: list[Pair], side: int) -> bool:
    return any(x.wrong(side) for x in pairs)


def is_off(pairs: list[Pair], side: int) -> bool:
    return any(x.ulp[side] > LIMITS.value for x in pairs)


def fact_row(fact: Fact, dtype: Dtype, pairs: list[Pair]) -> str:
    sides = [
        name if is_wrong(pairs, k) else f"({name})"
        for k, name in enumerate(("torch", "ours"))
        if is_off(pairs, k)
    ]
    most = max(pairs, key=lambda x: x.ulp)
    got = (
        f"{g:.6g} ({format_ulp(u)})" for g, u in zip(most.got, most.ulp, strict=True)
    )
    return row(
        *(title(fact), dtype.value, place(most.point, dtype), fact.found, entry(most)),
        *(exact(most, dtype), *got, ", ".join(sides) or "neither"),
    )


def case_row(case: Case, dtype: Dtype, pairs: list[Pair]) -> str:
    worst = [
        format_ulp(
            max((x.ulp[side] for x in pairs if (x.name == "value") is of), default=0.0)
        )
        for of in (True, False)
        for side in (0, 1)
    ]
    most = max(pairs, key=lambda x: (x.wrong(0), x.ulp[0]))
    at = f"{entry(most)}: {place(most.point, dtype)}" * (most.ulp[0] > 0)
    wrong = (faults(pairs, side) for side in (0, 1))
    return row(title(case), dtype.value, len(pairs), *worst, *wrong, at, case.design)


def faults(pairs: list[Pair], side: int) -> str:
    found = [x.errors[side].fault for x in pairs if x.wrong(side)]
    each = (str(found.count(f)) for f in (Fault.NAN, Fault.INFINITE, Fault.ZERO))
    return f"{len(found)} ({', '.join(each)})" if found else "0"


def worse_row(case: Case, dtype: Dtype, pairs: list[Pair]) -> str:
    most = max(pairs, key=lambda x: (x.wrong(1), x.scaled[1] - x.scaled[0], x.ulp[1]))
    errors = (
        f"{format_ulp(u)} ({format_ulp(s)})"
        for u, s in zip(most.ulp, most.scaled, strict=True)
    )
    return row(
        *(
            title(case),
            dtype.value,
            len(pairs),
            sum(x.wrong(1) for x in pairs),
            entry(most),
        ),
        *(place(most.point, dtype), exact(most, dtype), *errors),
    )


def title(of: Case | Fact) -> str:
    drawn = f" with {', '.join(of.drawn)}" if isinstance(of, Case) and of.drawn else ""
    return ", ".join([of.loss, *(f"{n}={v}" for n, v in of.options.items())]) + drawn


def exact(pair: Pair, dtype: Dtype) -> str:
    return f"{pair.want.rounded(dtype):.6g}"


def entry(pair: Pair) -> str:
    return "value" if pair.name == "value" else f"gradient by {pair.name}"


def place(at: Point, dtype: Dtype) -> str:
    parts = []
    for name, value in at.values.items():
        if isinstance(value, Array):
            each = [
                format_number(float(x), dtype).removesuffix(".0") for x in value.entries
            ]
            parts.append(
                f"{name} = {each[0] if len(each) == 1 else '[' + ', '.join(each) + ']'}"
            )
    text = "; ".join(parts)
    return f"`{text if len(text) <= 120 else text[:117] + '...'}`"


def table(*headings: str) -> Iterator[str]:
    """The head of a table; what ends in > is a column of numbers."""
    yield row(*(h.removesuffix(">") for h in headings))
    yield row(*("---:" if h.endswith(">") else "---" for h in headings))


def row(*cells: object) -> str:
    return f"| {' | '.join(str(c) for c in cells)} |"


if __name__ == "__main__":
    main()
