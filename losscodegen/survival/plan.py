"""Where a module is run in every way: the judge's points, in groups that are compiled once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.judge.point import Array, Entry, Point, Truth
from losscodegen.judge.points import admitted
from losscodegen.judge.tensors import is_pointwise
from losscodegen.judge.trial import Trial

Key = tuple[tuple[str, object], ...]

TOGETHER = 600
"""Points of a group that run side by side in one call, at most."""
APART = 40
"""Points of a group that run one after the other, at most."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is run: every group is compiled, exported and traced anew."""

    points: int = 60
    """Random points that the judge draws for the default parameters; four times as many over axes,
    of which few have the same sizes."""
    groups: int = 2


@dataclass(slots=True)
class Group:
    """Points of equal shapes and parameters, and the truth at each."""

    loss: Loss
    points: list[Point]
    truths: list[Truth] = field(default_factory=list)

    @property
    def setting(self) -> str:
        """What is not as by default, for reports."""
        return self.points[0].label.partition(", ")[2]


def plan(trial: Trial, budget: Budget) -> list[Group]:
    """The largest groups of the judge's points, unlike each other where that is possible.

    The truth at each is known when this returns; points without one are left out.
    """
    groups: dict[Key, list[Point]] = defaultdict(list)
    together = is_pointwise(trial.loss)
    for point in trial.candidates():
        groups[_key(trial.loss, point, shapes=not together)].append(point)
    limit = TOGETHER if together else APART
    found: list[Group] = []
    for members in _chosen(trial.loss, groups, budget.groups):
        alike = _with_the_parameters_of_the_first(trial.loss, members)
        group = Group(trial.loss, _varied(admitted(trial.loss, alike), limit))
        judged = [(p, trial.oracles(trial.loss, p, trial.dtype)) for p in group.points]
        known = [(p, truth) for p, truth in judged if truth is not None]
        if known:
            group.points = [p for p, _ in known]
            group.truths = [truth for _, truth in known]
            found.append(group)
    return found


def _key(loss: Loss, point: Point, *, shapes: bool) -> Key:
    """What a compiled module depends on; the type, too, for True is 1 and hashes alike."""
    found: list[tuple[str, object]] = []
    for variable in loss.variables:
        entry: Entry = point.values.get(variable.name)
        if isinstance(entry, Array):
            shape = entry.shape if shapes or ELLIPSIS not in variable.axes else ()
            found.append((variable.name, shape))
        else:
            found.append((variable.name, (type(entry), entry)))
    return tuple(found)


def _chosen(
    loss: Loss, groups: dict[Key, list[Point]], count: int
) -> Iterable[list[Point]]:
    """The largest group first, then the largest with as many other arguments as can be.

    Before these come groups with dims in place of ``...`` and more than one entry along each dim:
    there is more to reduce, to broadcast and to cut in pieces.
    """

    def rank(item: tuple[Key, list[Point]]) -> tuple[bool, int, int]:
        key, members = item
        arrays = {v: members[0].values.get(v.name) for v in loss.inputs}
        rich = all(
            len(array.shape) >= len(v.axes) and 1 not in array.shape
            for v, array in arrays.items()
            if isinstance(array, Array)
        )
        news = sum(pair not in seen for pair in key)
        return rich, news if seen else 0, len(members)

    seen: set[tuple[str, object]] = set()
    left = {key: members for key, members in groups.items() if len(members) > 2}
    left = left or dict(groups)
    for _ in range(min(count, len(left))):
        key, members = max(left.items(), key=rank)
        yield members
        seen.update(key)
        del left[key]


def _with_the_parameters_of_the_first(
    loss: Loss, points: Sequence[Point]
) -> list[Point]:
    """One module for all: tensors among the parameters, such as weights, are those of the first."""
    names = [v.name for v in loss.parameters if v.name in points[0].values]
    same = {name: points[0].values[name] for name in names}
    return [replace(p, values={**p.values, **same}) for p in points]


def _varied(points: Sequence[Point], limit: int) -> list[Point]:
    """At most ``limit`` points, of every label in turn."""
    if len(points) <= limit:
        return list(points)
    kinds: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        kinds[point.label].append(point)
    turns = [
        (turn, k, point)
        for k, members in enumerate(kinds.values())
        for turn, point in enumerate(members)
    ]
    return [point for *_, point in sorted(turns, key=lambda t: t[:2])[:limit]]
