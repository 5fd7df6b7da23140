"""What becomes of modules in the ways of running them, for readers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from losscodegen.judge.certificate import Certificate, Fate, Passage
from losscodegen.judge.wording import format_ulp

STYLES = {
    Fate.SURVIVES: "green",
    Fate.DIES: "bold red",
    Fate.NOT_APPLICABLE: "dim",
    Fate.NOT_CHECKED: "yellow",
}


def survival_table(passages: Sequence[Passage]) -> Table:
    """One row per way; errors in ulp, beside those of the module as it is."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("through")
    table.add_column("verdict")
    for heading in ("points", "entries", "value", "as it is", "gradient", "as it is"):
        table.add_column(heading, justify="right")
    table.add_column("why", overflow="fold")
    for passage in passages:
        numbers = (
            (passage.value, passage.eager_value),
            (passage.gradient, passage.eager_gradient),
        )
        table.add_row(
            passage.way,
            Text(passage.fate.value, style=STYLES[passage.fate]),
            str(passage.points or ""),
            str(passage.judged or ""),
            *(
                format_ulp(n) if passage.judged else ""
                for pair in numbers
                for n in pair
            ),
            escape(why(passage)),
        )
    return table


def fates_table(certificates: Iterable[Certificate]) -> Table:
    """One row per loss, one column per way."""
    rows = list(certificates)
    names = dict.fromkeys(p.way for c in rows for p in c.survival)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("loss")
    for name in names:
        table.add_column(name)
    for certificate in rows:
        fates = {p.way: p.fate for p in certificate.survival}
        table.add_row(
            certificate.loss,
            *(Text(f.value, style=STYLES[f]) for n in names if (f := fates.get(n))),
        )
    return table


def why(passage: Passage) -> str:
    """The reason of a verdict, or what a reader has to know of it all the same."""
    rim = f"{passage.rim} entries at the ends of the range are right as it is alone"
    return passage.reason or rim * bool(passage.rim)
