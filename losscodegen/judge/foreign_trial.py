"""One dtype of the judgement of code that was not generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from losscodegen.judge.foreign_confinement import Confinement
from losscodegen.judge.foreign_digits import small_points
from losscodegen.judge.point import Entry
from losscodegen.judge.trial import Trial


@dataclass(slots=True)
class ForeignTrial(Trial):
    """A trial at those points alone that the module can be asked about."""

    def gather(self) -> None:
        Trial.gather(self)
        for point in small_points(self.loss, self.dtype, self.seed, self.confine):
            truth = self.oracles(self.loss, point, self.dtype)
            if truth is not None:
                self.points.append(point)
                self.truths.append(truth)
        confine = self.confine
        fixed: Mapping[str, Entry] = {}
        if isinstance(confine, Confinement):
            fixed = confine.fixed
        pairs = [
            (p, t)
            for p, t in zip(self.points, self.truths, strict=True)
            if all(_same(p.values.get(n), e) for n, e in fixed.items())
        ]
        self.points = [p for p, _ in pairs]
        self.truths = [t for _, t in pairs]


def _same(one: Entry, other: Entry) -> bool:
    """Equal, but for what a format makes of a number."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) <= 1e-6 * max(abs(one), abs(other))
    return True if not isinstance(one, str) else one == other
