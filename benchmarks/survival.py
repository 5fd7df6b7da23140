"""Which guards outlive the ways in which modules are really run: a page.

    python -m benchmarks.survival > docs/survival.md
    python -m benchmarks.survival huber torch_nn/huber_loss    # these alone, kept for the page

Every drop-in class and a sample of the library go through every row of `losscodegen.survival.ways`.
What was found is kept in ``.losscodegen_cache``, so that a run that was broken off goes on where it
stopped. Needs the packages of the extra ``onnx``.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from losscodegen.cli import ingredients
from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Fate, Passage, passage_from, plain
from losscodegen.judge.survival_table import why
from losscodegen.judge.table import format_ulp
from losscodegen.language.parse import load_losses
from losscodegen.store import Store
from losscodegen.survival.run import DTYPE, survive
from losscodegen.survival.ways import WAYS

ROOT = Path(__file__).parents[1]
STEP = 4
"""One in so many specs of the library is run, besides `ALWAYS` and the drop-in classes."""
ALWAYS = (
    "bce_with_logits",
    "cosine_embedding",
    "cross_entropy",
    "huber",
    "info_nce",
    "nt_xent",
)
SIGNS = {
    Fate.SURVIVES: "yes",
    Fate.DIES: "**dies**",
    Fate.NOT_APPLICABLE: "-",
    Fate.NOT_CHECKED: "?",
}
INTRODUCTION = (
    "A guard that works in eager mode may be undone by what runs the module: a compiler may "
    "rewrite it, an exporter lack its functions, autocast change formats. Here the generated "
    "modules are run in every such way at the adversarial points of the judge (edges of the "
    "domain, both sides of every decision, ends of the range, ties, masked rows, missing entries) "
    f"in {DTYPE.value}, and held against the exact value and gradient by the rule of `losscodegen "
    "check`. **dies**: an entry fails that does not fail where the module is run as it is, or it "
    "raises. -: there is nothing to run. ?: not checked, see below."
)


@dataclass(frozen=True, slots=True)
class Row:
    """A loss, and what becomes of it in each way."""

    loss: str
    spec: str
    passages: tuple[Passage, ...]
    seconds: float


def main() -> None:
    rows = []
    console = Console(stderr=True)
    named = [ROOT / "specs" / f"{name}.toml" for name in sys.argv[1:]]
    for path in track(
        named or specs(), "surviving", console=console, disable=not console.is_terminal
    ):
        for loss in load_losses(path):
            rows.append(row(path, loss))
            if not console.is_terminal:
                print(f"{loss.name} {rows[-1].seconds:.0f} s", file=sys.stderr)
    if not named:
        print("\n".join(page(rows)))


def specs() -> list[Path]:
    """The specs whose losses are run."""
    library = sorted((ROOT / "specs").glob("*.toml"))
    chosen = {*library[::STEP], *(p for p in library if p.stem in ALWAYS)}
    return [*sorted((ROOT / "specs" / "torch_nn").glob("*.toml")), *sorted(chosen)]


def row(path: Path, loss: Loss) -> Row:
    """What becomes of a loss, from the store where it was asked before."""
    relative = path.relative_to(ROOT / "specs")
    source = (ROOT / "generated" / relative.with_suffix(".py")).read_text()
    store = Store(ROOT / ".losscodegen_cache")
    keys = {
        way.name: {
            "spec": path.read_text(),
            "loss": loss.name,
            "module": source,
            "way": way.name,
            "judge": judged_by(),
            "optional": ingredients.optional(),
        }
        for way in WAYS
    }
    kept = {name: store.get("survival", key) for name, key in keys.items()}
    start = time.monotonic()
    missing = [way for way in WAYS if kept[way.name] is None]
    for passage in survive(loss, source, ways=missing) if missing else ():
        kept[passage.way] = plain(passage)
        store.put("survival", keys[passage.way], kept[passage.way])
    return Row(
        loss.name,
        str(relative.with_suffix("")),
        tuple(passage_from(data) for data in kept.values()),
        time.monotonic() - start,
    )


@cache
def judged_by() -> dict[str, Any]:
    """The code and the libraries as the run began, whatever is edited meanwhile."""
    return ingredients.judge()


# ---------------------------------------------------------------------- the page


def page(rows: Sequence[Row]) -> Iterator[str]:
    installed = ", ".join(
        f"{name} {version}"
        for name, version in ingredients.optional().items()
        if version
    )
    yield "# Survival of the guards\n"
    yield INTRODUCTION + "\n"
    yield (
        f"{len(rows)} losses, torch {torch.__version__}, {installed}; made by `python -m "
        "benchmarks.survival`. One loss: `losscodegen check SPEC --through all`.\n"
    )
    yield "## Ways\n"
    yield from ways_table(rows)
    yield "\n## Where a module dies\n"
    yield from deaths(rows)
    yield "\n## Every loss\n"
    names = [way.name for way in WAYS]
    yield f"| loss | {' | '.join(names)} |"
    yield f"| --- | {' | '.join('---' for _ in names)} |"
    for r in rows:
        fates = {p.way: SIGNS[p.fate] for p in r.passages}
        yield f"| {title(r)} | {' | '.join(fates.get(n, '') for n in names)} |"
    yield "\n## Errors\n"
    yield (
        "The worst error of value and gradient in ulp, where that is large in units of what one "
        "ulp of the inputs changes; that of the module as it is in parentheses where it differs. "
        "What cancels in small results counts in neither.\n"
    )
    measured = [way.name for way in WAYS if way.orders]
    yield f"| loss | {' | '.join(measured)} |"
    yield f"| --- | {' | '.join('---:' for _ in measured)} |"
    for r in rows:
        cells = {p.way: errors(p) for p in r.passages}
        yield f"| {title(r)} | {' | '.join(cells.get(n, '') for n in measured)} |"


def title(row: Row) -> str:
    return f"{row.loss}, drop-in" if row.spec.startswith("torch_nn") else row.loss


def ways_table(rows: Sequence[Row]) -> Iterator[str]:
    yield "| way | survive | die | not applicable | not checked | entries | what survival means |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for way in WAYS:
        passages = [p for r in rows for p in r.passages if p.way == way.name]
        count = Counter(p.fate for p in passages)
        cells = [
            f"`{way.name}`: {way.title}",
            *(str(count[fate]) for fate in Fate),
            str(sum(p.judged for p in passages)),
            way.promise,
        ]
        yield f"| {' | '.join(cells)} |"
    reasons = {p.reason for r in rows for p in r.passages if p.fate is Fate.NOT_CHECKED}
    for reason in sorted(reasons):
        yield f"\nNot checked: {cell(reason)}."


def deaths(rows: Sequence[Row]) -> Iterator[str]:
    dead = [(r, p) for r in rows for p in r.passages if p.fate is Fate.DIES]
    if not dead:
        yield "Nowhere."
        return
    yield "| loss | through | how |"
    yield "| --- | --- | --- |"
    for r, p in sorted(dead, key=lambda d: (d[1].way, title(d[0]))):
        yield f"| {title(r)} | {p.way} | {cell(p.reason)} |"
    rim = [(r, p) for r, p in pairs(rows) if p.rim and p.fate is Fate.SURVIVES]
    if rim:
        yield "\nSurvivors that lose something at the ends of the range:\n"
        yield "| loss | through | what |"
        yield "| --- | --- | --- |"
        for r, p in rim:
            yield f"| {title(r)} | {p.way} | {why(p)} |"


def pairs(rows: Iterable[Row]) -> Iterator[tuple[Row, Passage]]:
    yield from ((r, p) for r in rows for p in r.passages)


def errors(passage: Passage) -> str:
    if not passage.judged:
        return SIGNS[passage.fate]
    parts = []
    both = [(passage.value, passage.eager_value)]
    if "gradient" in next(w.orders for w in WAYS if w.name == passage.way):
        both.append((passage.gradient, passage.eager_gradient))
    for ours, eager in both:
        beside = (
            f" ({format_ulp(eager)})" if format_ulp(ours) != format_ulp(eager) else ""
        )
        parts.append(format_ulp(ours) + beside)
    return ", ".join(parts)


def cell(text: str, length: int = 300) -> str:
    """Text that fits a cell: bars and the numbers of long points end it."""
    text = text.replace("|", "\\|")
    return text if len(text) <= length else text[: length - 1] + "…"


if __name__ == "__main__":
    main()
