"""What a verification found, as plain data that is the same byte for byte when it is repeated."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from html import escape
from typing import Any

from losscodegen.judge.unchecked import unchecked

SCHEMA = 5
"""Schema 2 has no `Passage`, schema 3 no libraries and no seal, schema 4 no `Check.whole`."""


class Status(Enum):
    PASSED = "passed"
    FAILED = "failed"
    VACUOUS = "vacuous"
    """Nothing was checked that could have failed; not a pass."""
    REPORTED = "reported"
    """Measured, and promised by nobody: the second derivative."""
    SKIPPED = "skipped"
    """There is nothing of the kind to check: no laws, no example, no SymPy form."""


_GOOD = (Status.PASSED, Status.REPORTED)
_DERIVED = ("verdict", "unchecked", "seal")
"""What a written certificate says over and above its fields."""


class Severity(Enum):
    FAILURE = "failure"
    LOOSE = "loose"
    """Within the limits, but further off than good code is."""
    NOTE = "note"


class Culprit(Enum):
    """Who is wrong where the module, or the naive formula beside it, is."""

    GUARD = "guard"
    """The naive formula is right here: a rewrite made it worse."""
    FORMULA = "formula"
    """The formula as written loses the value in floating point."""
    AUTOGRAD = "autograd"
    """The formula's value is right, differentiating its floating-point steps is not."""
    NOBODY = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A point and an entry of its result, as text that can be typed in again."""

    point: str
    label: str
    got: str
    want: str
    ulp: float
    scaled: float
    """The same error in units of what one ulp in every input and constant would change."""
    mixed: float
    """The same error by the mixed criterion (see `losscodegen.judge.mixed`)."""
    fault: str
    """What a finding about it is called: wrong-nan, wrong-infinity, wrong-zero, wrong-digits, or
    cancellation if the error is negligible beside usual results."""
    variable: str | None = None
    naive: str = ""
    largest: float = 0.0
    """The largest entry of the exact value, or of the exact gradient by this variable, there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a reader has to know; a failure if the module must not be trusted."""

    code: str
    severity: Severity
    message: str
    dtype: str | None = None
    order: str | None = None
    place: Place | None = None
    culprit: Culprit = Culprit.NOBODY

    @property
    def order_of_importance(self) -> tuple[int, float]:
        """Sorts findings: failures first, and among them the worst."""
        rank = list(Severity).index(self.severity)
        return rank, -(self.place.ulp if self.place else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How a module (or the naive formula) did at all points of a check."""

    ulp: float = 0.0
    scaled: float = 0.0
    mixed: float = 0.0
    nan: int = 0
    infinite: int = 0
    zero: int = 0

    @property
    def faults(self) -> int:
        return self.nan + self.infinite + self.zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The value, the gradient or the second derivative in one dtype.

    ``classes`` counts judged entries by the class of their point, ``beside`` those that were not
    judged, by the reason. ``ours`` and ``naive`` are over the same entries. ``within`` counts those
    that are off by no more than ``target`` by the mixed criterion, in which the entry at
    ``hardest`` is worst; that at ``roughest`` is furthest off in ulp, and that at ``worst`` in
    units of what one ulp of the inputs changes. ``whole`` is the worst error of a value or gradient
    as a whole: no entry is off by more than so many ``eps`` times the largest beside it.
    """

    dtype: str
    order: str
    status: Status
    classes: tuple[tuple[str, int], ...]
    beside: tuple[tuple[str, int], ...]
    ours: Score
    naive: Score
    worst: Place | None
    culprit: Culprit
    target: float
    within: int
    hardest: Place | None
    roughest: Place | None
    whole: float = math.inf

    @property
    def judged(self) -> int:
        return sum(count for _, count in self.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A law, a require, the example, the contract or a second witness."""

    kind: str
    text: str
    status: Status
    checked: int
    detail: str = ""


class Fate(Enum):
    """What becomes of a module in a way of running it."""

    SURVIVES = "survives"
    DIES = "dies"
    NOT_APPLICABLE = "not applicable"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A module run in another way than as it is, such as compiled (see `losscodegen.survival`).

    ``value`` and ``gradient`` are the worst errors of this way, ``eager_value`` and
    ``eager_gradient`` those of the module as it is, all in ulp and where that is large in units of
    what one ulp of the inputs changes, and over ``judged`` entries.
    """

    way: str
    fate: Fate
    reason: str = ""
    """Why it dies, is not applicable or was not checked."""
    by: str = ""
    """What ran it besides PyTorch, with versions."""
    points: int = 0
    judged: int = 0
    value: float = 0.0
    gradient: float = 0.0
    eager_value: float = 0.0
    eager_gradient: float = 0.0
    rim: int = 0
    """Entries at the ends of the format's range that only the module as it is has right."""
    place: Place | None = None
    """Where it dies, with what the module as it is gives there as ``naive``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """How right a module is, and by what it was judged. No time, no machine."""

    schema: int = SCHEMA
    loss: str
    spec: str
    """sha256 of the spec as it is printed."""
    source: str
    """sha256 of the module's text."""
    judge: str
    """sha256 of the code that judged."""
    accuracy: str = "relative"
    """What the spec asks for: ``"absolute"`` lets small results lose digits beside usual ones."""
    torch: str
    python: str
    libraries: tuple[tuple[str, str], ...] = ()
    """Names and versions of what else the truth rests on."""
    seed: int
    points: int
    rejected: int
    checks: tuple[Check, ...]
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]
    survival: tuple[Passage, ...] = ()
    """The ways of running it that were asked for."""

    @property
    def passed(self) -> bool:
        return any(c.status is Status.PASSED for c in self.checks) and not (
            any(f.severity is Severity.FAILURE for f in self.findings)
            or any(c.status not in _GOOD for c in self.checks)
            or any(c.status is Status.FAILED for c in self.claims)
            or any(p.fate is Fate.DIES for p in self.survival)
        )

    @property
    def vacuous(self) -> bool:
        """Whether it is for want of evidence alone that this is no pass."""
        return not self.passed and not (
            any(f.severity is Severity.FAILURE for f in self.findings)
            or any(p.fate is Fate.DIES for p in self.survival)
        )

    @property
    def verdict(self) -> str:
        if self.passed:
            return "passed"
        return "vacuous" if self.vacuous else "failed"

    def as_dict(self) -> dict[str, Any]:
        """Plain data; ``json.dumps`` takes it as it is."""
        data = plain(self)
        assert isinstance(data, dict)
        return {"verdict": self.verdict, **data, "unchecked": plain(unchecked(self))}

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n"

    def _repr_html_(self) -> str:
        """What notebooks show: the tables of a report."""
        from losscodegen.judge.evidence import evidence, survival
        from losscodegen.markup import output

        ways = (survival(self.survival),) if self.survival else ()
        return output(f"<h3>{escape(self.loss)}</h3>", *evidence(self), *ways)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython shows in a terminal: the tables of ``losscodegen check``."""
        from losscodegen.judge.table import as_text, certificate_table

        lines = as_text(certificate_table(self)).rstrip().splitlines()
        printer.text("\n".join(line.rstrip() for line in lines).lstrip())

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Certificate:
        """The inverse of `as_dict`; reads certificates of schema 2 and later, too."""
        return cls(
            **{
                **{k: v for k, v in data.items() if k not in _DERIVED},
                "libraries": tuple((n, v) for n, v in data.get("libraries", ())),
                "checks": tuple(_check(c) for c in data["checks"]),
                "claims": tuple(
                    Claim(**{**c, "status": Status(c["status"])})
                    for c in data["claims"]
                ),
                "findings": tuple(_finding(f) for f in data["findings"]),
                "survival": tuple(passage_from(p) for p in data.get("survival", ())),
            }
        )


def tidy(value: float) -> float:
    """Four digits: more is not worth printing, and would differ from machine to machine."""
    return float(f"{value:.4g}")


def plain(value: Any) -> Any:
    """Dataclasses, enums and infinities as what JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    if isinstance(value, float):
        # JSON knows no infinities.
        return value if math.isfinite(value) else str(value)
    return value


def _place(data: dict[str, Any] | None) -> Place | None:
    if data is None:
        return None
    return Place(**{**data, **_errors(data)})


def _score(data: dict[str, Any]) -> Score:
    return Score(**{**data, **_errors(data)})


def _errors(data: dict[str, Any]) -> dict[str, float]:
    """Errors, which may be infinite, and are then words."""
    return {name: float(data[name]) for name in ("ulp", "scaled", "mixed")}


def _check(data: dict[str, Any]) -> Check:
    return Check(
        **{
            **data,
            "status": Status(data["status"]),
            "classes": tuple((name, count) for name, count in data["classes"]),
            "beside": tuple((name, count) for name, count in data["beside"]),
            "ours": _score(data["ours"]),
            "naive": _score(data["naive"]),
            "worst": _place(data["worst"]),
            "culprit": Culprit(data["culprit"]),
            "target": float(data["target"]),
            "hardest": _place(data["hardest"]),
            "roughest": _place(data["roughest"]),
            "whole": float(data.get("whole", math.inf)),
        }
    )


def _finding(data: dict[str, Any]) -> Finding:
    return Finding(
        **{
            **data,
            "severity": Severity(data["severity"]),
            "place": _place(data["place"]),
            "culprit": Culprit(data["culprit"]),
        }
    )


def passage_from(data: dict[str, Any]) -> Passage:
    """A passage from plain data."""
    numbers = ("value", "gradient", "eager_value", "eager_gradient")
    return Passage(
        **{
            **data,
            **{name: float(data[name]) for name in numbers},
            "fate": Fate(data["fate"]),
            "place": _place(data["place"]),
        }
    )
