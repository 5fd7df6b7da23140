"""Shares of rectangles that overlap, or do not: of each other, and of what encloses both.

A share that is nearly the whole is written as 1 less the rest, by the lengths that are left over;
its slope by an end is that of the rest, and not the difference of two that agree.
"""

from losscodegen.compiler.rule import Fault, Rule, Witness

_INTER = "relu(Min(x, z) - Max(y, w))*relu(Min(s, u) - Max(r, v))"
_AREAS = "(x - y)*(s - r) {sign} (z - w)*(u - v)"
_HULL = "(Max(x, z) - Min(y, w))*(Max(s, u) - Min(r, v))"

_ORDERED = "x - y > 0 and z - w > 0 and s - r > 0 and u - v > 0 and e >= 0"

_DOMAIN = {
    "x": "[1, 3)",
    "y": "(0, 1)",
    "z": "[0, 2)",
    "w": "(-1, 0)",
    "s": "[0, 2)",
    "r": "(-1, 0)",
    "u": "[1, 3)",
    "v": "(0, 1)",
    "e": "(0, oo)",
}

_WHY = "Where a share is nearly the whole, its slope by a length that both have in common cancels; \
there it is 1 less the rest, in lengths that are left over. "


def _share(part: str, rest: str, whole: str) -> str:
    """``part/whole``, and no more of it where the whole is ``small``."""
    return f"where(small or 2*{part} < {whole}, {part}/{whole}, 1 - {rest}/{whole})"


def _beyond(left: str, right: str) -> str:
    """Twice what the one is more than the other; its slope is 1 where they tie, as of a maximum.

    Not the slope of the one by way of the other: two that cancel would round what is left.
    """
    return f"(abs({left} - {right}) + ({left} - {right}))"


def _sides(
    left: str, low: str, right: str, other_low: str, high: str = ""
) -> tuple[str, ...]:
    """The lengths of two sides, and what of each lies beyond the other's."""
    return (
        f"{high}side = {left} - {low}",
        f"{high}other = {right} - {other_low}",
        f"{high}over = ({_beyond(left, right)} + {_beyond(other_low, low)})/2",
        f"{high}other_over = ({_beyond(right, left)} + {_beyond(low, other_low)})/2",
    )


_LENGTHS = (
    *_sides("x", "y", "z", "w"),
    *_sides("s", "r", "u", "v", "high_"),
    "root = sqrt(e)",
    "unit = where(e > 0, sqrt(e), 1)",
)

_INTERSECTION = (
    *_LENGTHS,
    "width = detach(Max(Max(side, other), root))",
    "height = detach(Max(Max(high_side, high_other), root))",
    "area = (side/width)*(high_side/height)",
    "other_area = (other/width)*(high_other/height)",
    "least = (root/width)*(root/height)",
    "first = area >= other_area",
    "larger = where(first, area, other_area)",
    "smaller = where(first, other_area, area)",
    "small = larger < least",
    "length = where(small, unit, where(first, side, other))",
    "breadth = where(small, unit, where(first, high_side, high_other))",
    "rest = where(first, over, other_over)",
    "high_rest = where(first, high_over, high_other_over)",
    "shared = relu(Min(x, z) - Max(y, w))",
    "high_shared = relu(Min(s, u) - Max(r, v))",
    f"across = {_share('shared', 'rest', 'length')}",
    f"along = {_share('high_shared', 'high_rest', 'breadth')}",
    "part = across*along",
    "second = (where(small, larger, least) + smaller)/where(small, least, larger)",
)

_ENCLOSED = (
    *_LENGTHS,
    "hull = Max(x, z) - Min(y, w)",
    "high_hull = Max(s, u) - Min(r, v)",
    "width = detach(Max(hull, root))",
    "height = detach(Max(high_hull, root))",
    "area = (hull/width)*(high_hull/height)",
    "least = (root/width)*(root/height)",
    "small = area < least",
    "span = where(small, unit, hull)",
    "high_span = where(small, unit, high_hull)",
    f"inside = {_share('side', 'other_over', 'span')}",
    f"outside = {_share('other_over', 'side', 'span')}",
    f"other_inside = {_share('other', 'over', 'span')}",
    f"other_outside = {_share('over', 'other', 'span')}",
    f"high_inside = {_share('high_side', 'high_other_over', 'high_span')}",
    f"high_outside = {_share('high_other_over', 'high_side', 'high_span')}",
    f"other_high_inside = {_share('high_other', 'high_over', 'high_span')}",
    f"other_high_outside = {_share('high_over', 'high_other', 'high_span')}",
    "full = where(small, hull/span, 1)",
    "high_full = where(small, high_hull/high_span, 1)",
    "share = inside*high_inside",
    "other_share = other_inside*other_high_inside",
    "half = full*high_full/2",
    "apart = where(share > half, outside*high_full + inside*high_outside - other_share,"
    " where(other_share > half,"
    " other_outside*high_full + other_inside*other_high_outside - share,"
    " full*high_full - share - other_share))",
    "corners = other_outside*high_outside + outside*other_high_outside",
    "touching = Max(y, w) >= Min(x, z) or Max(r, v) >= Min(s, u)",
    "whole = 1 + where(small, area, least)/where(small, least, area)",
)

RULES = (
    Rule(
        name="share-of-overlap",
        pattern=f"{_INTER}/({_AREAS.format(sign='+')} - {_INTER} + e)",
        optional=("e",),
        condition=_ORDERED,
        let=_INTERSECTION,
        replacement="part/(1 - part + second)",
        why=_WHY
        + "All is measured by the larger rectangle, or by what is added to the areas where that "
        "is larger still.",
        source="algebra",
        witness=Witness(
            point={
                "x": 1.5,
                "y": 0.5,
                "z": 1.75,
                "w": -0.5,
                "s": 1.5,
                "r": -0.5,
                "u": 1.0,
                "v": 0.999999,
                "e": 1e-9,
            },
            fault=Fault.GRADIENT,
            wrt="x",
        ),
        domain=_DOMAIN,
        safe=True,
    ),
    Rule(
        name="share-left-empty",
        pattern=f"({_HULL} - {_AREAS.format(sign='-')} + {_INTER})/({_HULL} + e)",
        optional=("e",),
        condition=_ORDERED,
        let=_ENCLOSED,
        replacement="where(touching, apart, corners)/whole",
        why=_WHY
        + "What two rectangles that overlap leave empty are corners, of which each is a "
        "product.",
        source="algebra",
        witness=Witness(
            point={
                "x": 1.25,
                "y": 0.5,
                "z": 1.75,
                "w": -0.5,
                "s": 0.75,
                "r": -3e-7,
                "u": 1.0,
                "v": 3e-7,
                "e": 1e-9,
            },
            fault=Fault.GRADIENT,
            wrt="x",
        ),
        domain=_DOMAIN,
        safe=True,
    ),
)
