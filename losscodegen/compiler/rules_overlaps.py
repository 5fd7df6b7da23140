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


def _beyond(left: str, right: str) -> str:
    """By how much the one is more than the other; half the slope where they tie, as of a maximum."""
    return f"(abs({left} - {right}) + ({left} - {right}))/2"


def _share(part: str, rest: str, whole: str, small: str) -> str:
    """``part/whole``; of wholes that are ``small``, the length by its unit."""
    near = f"where(2*{part} < {whole}, {part}/{whole}, 1 - {rest}/{whole})"
    return f"where({small}, {part}/unit, {near})"


_LENGTHS = (
    "wide = x - y",
    "other_wide = z - w",
    "high = s - r",
    "other_high = u - v",
    f"left_over = {_beyond('x', 'z')} + {_beyond('w', 'y')}",
    f"other_left_over = {_beyond('z', 'x')} + {_beyond('y', 'w')}",
    f"high_left_over = {_beyond('s', 'u')} + {_beyond('v', 'r')}",
    f"other_high_left_over = {_beyond('u', 's')} + {_beyond('r', 'v')}",
    "root = sqrt(e)",
    "unit = where(e > 0, sqrt(e), 1)",
)
"""Of both rectangles: their sides, and what of each side lies beyond the other's."""

_INTERSECTION = (
    *_LENGTHS,
    "width = detach(Max(wide, other_wide))",
    "height = detach(Max(high, other_high))",
    "area = (wide/width)*(high/height)",
    "other_area = (other_wide/width)*(other_high/height)",
    "first = area >= other_area",
    "length = where(first, wide, other_wide)",
    "breadth = where(first, high, other_high)",
    "rest = where(first, left_over, other_left_over)",
    "high_rest = where(first, high_left_over, other_high_left_over)",
    "small = length*breadth < e",
    "whole_length = where(small, 1, length)",
    "whole_breadth = where(small, 1, breadth)",
    "least = where(small, 0, (root/width)*(root/height))",
    "shared = relu(Min(x, z) - Max(y, w))",
    "high_shared = relu(Min(s, u) - Max(r, v))",
    f"across = {_share('shared', 'rest', 'whole_length', 'small')}",
    f"along = {_share('high_shared', 'high_rest', 'whole_breadth', 'small')}",
    "part = across*along",
    "second = (where(first, other_area, area) + least)/where(first, area, other_area)",
    "whole = where(small, (wide/unit)*(high/unit) + (other_wide/unit)*(other_high/unit) - part + 1,"
    " 1 - part + second)",
)

_ENCLOSED = (
    *_LENGTHS,
    "hull = Max(x, z) - Min(y, w)",
    "high_hull = Max(s, u) - Min(r, v)",
    "small = hull*high_hull < e",
    "span = where(small, 1, hull)",
    "high_span = where(small, 1, high_hull)",
    "width = detach(span)",
    "height = detach(high_span)",
    "least = (root/width)*(root/height)/((span/width)*(high_span/height))",
    f"inside = {_share('wide', 'other_left_over', 'span', 'small')}",
    f"outside = {_share('other_left_over', 'wide', 'span', 'small')}",
    f"other_inside = {_share('other_wide', 'left_over', 'span', 'small')}",
    f"other_outside = {_share('left_over', 'other_wide', 'span', 'small')}",
    f"high_inside = {_share('high', 'other_high_left_over', 'high_span', 'small')}",
    f"high_outside = {_share('other_high_left_over', 'high', 'high_span', 'small')}",
    f"other_high_inside = {_share('other_high', 'high_left_over', 'high_span', 'small')}",
    f"other_high_outside = {_share('high_left_over', 'other_high', 'high_span', 'small')}",
    "full = where(small, hull/unit, 1)",
    "high_full = where(small, high_hull/unit, 1)",
    "share = inside*high_inside",
    "other_share = other_inside*other_high_inside",
    "apart = where(2*share > full*high_full, outside*high_full + inside*high_outside - other_share,"
    " where(2*other_share > full*high_full,"
    " other_outside*high_full + other_inside*other_high_outside - share,"
    " full*high_full - share - other_share))",
    "corners = other_outside*high_outside + outside*other_high_outside",
    "touching = Max(y, w) >= Min(x, z) or Max(r, v) >= Min(s, u)",
    "whole = 1 + where(small, full*high_full, least)",
)

RULES = (
    Rule(
        name="share-of-overlap",
        pattern=f"{_INTER}/({_AREAS.format(sign='+')} - {_INTER} + e)",
        optional=("e",),
        condition=_ORDERED,
        let=_INTERSECTION,
        replacement="part/whole",
        why=_WHY
        + "All is measured by the larger rectangle, or by what is added to the areas where that is larger still.",
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
