"""Declarations of inputs and parameters: ``real[Q] in (0, 1) = none``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from losscodegen.errors import Location
from losscodegen.ir.loss import (
    ELLIPSIS,
    Absent,
    Default,
    Domain,
    DomainKind,
    Interval,
)
from losscodegen.language.cursor import Cursor, Token
from losscodegen.language.domains import (
    BASE,
    admits,
    format_declared,
    format_interval,
    meet,
)
from losscodegen.language.names import axis_objection, closest
from losscodegen.language.source import Source

_WITH_AXIS = (DomainKind.INDEX, DomainKind.SIMPLEX, DomainKind.LOGPROB)
_WORDS = tuple(kind.value for kind in DomainKind)
_ALIAS = "interval"
"""``interval(a, b)`` is ``real in [a, b]``."""
_LONGEST_AXIS = 10**6
"""An axis written as a number is a few coordinates, not a size of data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a declaration says, and where it says it."""

    domain: Domain
    axes: tuple[str, ...] = ()
    default: Default = Absent.REQUIRED
    default_text: str | None = None
    domain_axis_location: Location | None = None
    """Where the axis of index(C), simplex(C) or logprob(C) is named."""
    axis_locations: tuple[Location, ...] = ()
    """One for each of ``axes``."""
    default_location: Location | None = None


def read_declaration(source: Source) -> Declaration:
    """The declaration that ``source`` spells; LossCodegenError at the first thing wrong."""
    cursor = Cursor(source)
    first = cursor.token
    domain, domain_axis = _domain(cursor)
    axes = tuple(_axes(cursor)) if cursor.token.text == "[" else ()
    names = tuple(name for name, _ in axes)
    _check_axes(cursor, first, domain, names)
    if cursor.token.text == "in":
        domain = _narrowed(cursor, domain)
    default: Default = Absent.REQUIRED
    text, location = None, None
    if cursor.skip("="):
        start = cursor.token
        default = _default(cursor, domain)
        text = source.text[start.start : cursor.last.end]
        location = cursor.where(start, cursor.last)
    if cursor.token.kind != "end":
        raise cursor.expected(
            "the end", "the order is: domain[axes] in (a, b) = default"
        )
    return Declaration(
        domain=domain,
        axes=names,
        default=default,
        default_text=text,
        domain_axis_location=domain_axis,
        axis_locations=tuple(location for _, location in axes),
        default_location=location,
    )


def parse_interval(text: str) -> Interval:
    """An interval as mathematics writes it, ``(0, oo)``; LossCodegenError if it is none."""
    cursor = Cursor(Source.plain(text, "<interval>"))
    interval = _interval(cursor)
    if cursor.token.kind != "end":
        raise cursor.expected("the end")
    return interval


def _domain(cursor: Cursor) -> tuple[Domain, Location | None]:
    """The domain with its argument, and where that names an axis."""
    token = cursor.token
    if token.kind != "name":
        raise cursor.expected("a domain", f"the domains are {', '.join(_WORDS)}")
    cursor.take()
    if token.text == _ALIAS:
        return _alias(cursor), None
    if token.text not in _WORDS:
        hint = closest(token.text, (*_WORDS, _ALIAS))
        hint = hint or f"the domains are {', '.join(_WORDS)}"
        message = f"unknown domain {token}"
        raise cursor.wrong(message, token, code="unknown-domain", hint=hint)
    kind = DomainKind(token.text)
    if kind is DomainKind.CHOICE:
        return Domain(kind=kind, choices=_choices(cursor)), None
    if kind not in _WITH_AXIS:
        if cursor.token.text == "(":
            raise cursor.wrong(f"'{kind.value}' has no argument", cursor.token)
        return Domain(kind=kind), None
    if not cursor.skip("("):
        raise cursor.expected("'('", f"write {kind.value}(C) for an axis C")
    axis, location = _axis(cursor)
    cursor.need(")")
    return Domain(kind=kind, axis=axis), location


def _alias(cursor: Cursor) -> Domain:
    opening = cursor.need("(")
    low, high = _ends(cursor)
    closing = cursor.need(")")
    _check_order(cursor, low, high, opening, closing)
    interval = Interval(
        low=low, high=high, low_open=low is None, high_open=high is None
    )
    return Domain(kind=DomainKind.REAL, interval=interval)


def _choices(cursor: Cursor) -> tuple[str, ...]:
    opening = cursor.need("(")
    words: list[str] = []
    while True:
        token = cursor.token
        if token.kind != "name":
            raise cursor.expected("a word")
        if token.text in words:
            raise cursor.wrong(f"the word {token} stands twice", token)
        words.append(cursor.take().text)
        if not cursor.skip(","):
            break
    closing = cursor.need(")")
    if len(words) < 2:
        raise cursor.wrong("a choice has at least two words", opening, closing)
    return tuple(words)


def _axes(cursor: Cursor) -> list[tuple[str, Location]]:
    cursor.need("[")
    axes: list[tuple[str, Location]] = []
    while True:
        token = cursor.token
        if token.kind != "dots":
            axes.append(_axis(cursor))
        elif any(name == ELLIPSIS for name, _ in axes):
            raise cursor.wrong("'...' stands twice", token, code="bad-axis")
        else:
            axes.append((ELLIPSIS, cursor.where(cursor.take())))
        if not cursor.skip(","):
            break
    if not cursor.skip("]"):
        raise cursor.expected("',' or ']'")
    return axes


def _axis(cursor: Cursor) -> tuple[str, Location]:
    """A named axis or one of fixed size."""
    token = cursor.token
    if token.kind == "number":
        digits = token.text if len(token.text) < 10 else ""
        if not digits.isdecimal() or not 0 < int(digits) <= _LONGEST_AXIS:
            message = f"expected a size from 1 to {_LONGEST_AXIS}, got {token}"
            raise cursor.wrong(message, token, code="bad-axis")
        cursor.take()
        return str(int(digits)), cursor.where(token)
    if token.kind != "name":
        raise cursor.expected("an axis", "an axis is a name, a number or '...'")
    objection = axis_objection(token.text)
    if objection is not None:
        hint = None
        if token.text[:1].islower():
            hint = f"did you mean '{token.text[0].upper()}{token.text[1:]}'?"
        message = f"{token} {objection}"
        raise cursor.wrong(message, token, code="bad-axis", hint=hint)
    cursor.take()
    return token.text, cursor.where(token)


def _check_axes(
    cursor: Cursor, first: Token, domain: Domain, axes: tuple[str, ...]
) -> None:
    """A domain about an axis of its own must have it; words and truth values have none."""
    word, axis = domain.kind.value, domain.axis or ""
    message = hint = None
    match domain.kind:
        case DomainKind.SIMPLEX | DomainKind.LOGPROB if axes.count(axis) != 1:
            message = f"'{word}({axis})' must have the axis {axis} once"
            hint = f"as in {word}({axis})[B, {axis}]"
        case DomainKind.BOOL if axes:
            message = "a bool has no axes"
            hint = "a tensor of truth values is a mask"
        case DomainKind.CHOICE if axes:
            message = "a choice has no axes"
            hint = "it is one word for the whole loss"
        case DomainKind.MASK if not axes:
            message = "a mask has axes"
            hint = "a single truth value is a bool"
    if message is not None:
        raise cursor.wrong(message, first, cursor.last, code="bad-axis", hint=hint)


def _narrowed(cursor: Cursor, domain: Domain) -> Domain:
    """``domain`` with the interval after ``in``."""
    keyword = cursor.take()
    if domain.interval is not None:
        raise cursor.wrong("the interval is there already", keyword)
    if domain.kind not in BASE:
        hint = f"{', '.join(kind.value for kind in BASE)} can have one"
        message = f"'{domain.kind.value}' has no interval"
        raise cursor.wrong(message, keyword, code="bad-interval", hint=hint)
    first = cursor.token
    interval = _interval(cursor)
    if not meet(BASE[domain.kind], interval):
        message = f"no {domain.kind.value} number is in {format_interval(interval)}"
        raise cursor.wrong(message, first, cursor.last, code="bad-interval")
    return replace(domain, interval=interval)


def _interval(cursor: Cursor) -> Interval:
    opening = cursor.token
    if opening.text not in ("(", "["):
        raise cursor.expected(
            "'(' or '['", "an interval reads (0, 1), [0, 1) or (0, oo)"
        )
    cursor.take()
    low, high = _ends(cursor)
    closing = cursor.token
    if closing.text not in (")", "]"):
        raise cursor.expected("')' or ']'")
    cursor.take()
    low_open, high_open = opening.text == "(", closing.text == ")"
    _check_order(cursor, low, high, opening, closing)
    for value, is_open, bracket, mark in (
        (low, low_open, opening, "("),
        (high, high_open, closing, ")"),
    ):
        if value is None and not is_open:
            message, hint = "an infinite end is open", f"did you mean '{mark}'?"
            raise cursor.wrong(message, bracket, code="bad-interval", hint=hint)
    return Interval(low=low, high=high, low_open=low_open, high_open=high_open)


def _check_order(
    cursor: Cursor,
    low: Fraction | None,
    high: Fraction | None,
    opening: Token,
    closing: Token,
) -> None:
    """Refuses an interval that is empty or a single point."""
    if low is not None and high is not None and low >= high:
        raise cursor.wrong(
            "the lower end of the interval is not below the upper one",
            opening,
            closing,
            code="bad-interval",
        )


def _ends(cursor: Cursor) -> tuple[Fraction | None, Fraction | None]:
    """The ends of an interval; None is the infinity that belongs on that side."""
    ends: list[Fraction | None] = []
    for infinities in (("-oo",), ("oo", "+oo")):
        token = cursor.token
        if token.kind == "infinity" and token.text not in infinities:
            raise cursor.wrong(
                f"{token} is no {'upper' if ends else 'lower'} end of an interval",
                token,
                code="bad-interval",
            )
        ends.append(cursor.end())
        if len(ends) == 1:
            cursor.need(",")
    return ends[0], ends[1]


def _default(cursor: Cursor, domain: Domain) -> Default:
    token = cursor.token
    if cursor.skip("none"):
        return Absent.NONE
    if domain.kind is DomainKind.BOOL:
        return _word(cursor, ("true", "false")) == "true"
    if domain.kind is DomainKind.CHOICE:
        return _word(cursor, domain.choices)
    if token.kind == "infinity":
        raise cursor.wrong("a default is finite", token, code="bad-default")
    if token.kind == "name":
        message = f"expected a number or none, got {token}"
        hint = closest(token.text, ("none",))
        raise cursor.wrong(message, token, code="bad-default", hint=hint)
    value = cursor.number()
    if not admits(domain, value):
        text = cursor.source.text[token.start : cursor.last.end]
        message = f"the default {text} is not {format_declared(domain)}"
        raise cursor.wrong(message, token, cursor.last, code="bad-default")
    return value


def _word(cursor: Cursor, words: tuple[str, ...]) -> str:
    token = cursor.token
    if token.text not in words:
        message = f"expected {', '.join(words[:-1])} or {words[-1]}, got {token}"
        hint = closest(token.text, (*words, "none"))
        raise cursor.wrong(message, token, code="bad-default", hint=hint)
    return cursor.take().text
