"""Random losses through the compiler and before the judge, and how many come out right.

    python -m benchmarks.fuzz --count 2000 --jobs 2 --record fuzz.jsonl
    python -m benchmarks.fuzz --count 2000 --record fuzz.jsonl --page > docs/fuzz.md

A seed makes a spec (tests/fuzz/random_specs.py), which is compiled and judged. Modules
that have not changed since they were recorded are not judged again, so that a long run may be
stopped. The seeds that are
wrong or crashed are printed with their formulas; the exit code is 1 if there are any.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

import click
import torch

from losscodegen.cli.progress import as_finished
from losscodegen.errors import LossCodegenError
from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Certificate, Severity
from losscodegen.judge.check import verify
from losscodegen.judge.criterion import Limits
from losscodegen.judge.versions import judge_version
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses
from tests.fuzz.random_specs import random_spec

POINTS = 12
"""Random points for each dtype; edges, kinks, seams and other parameters come on top."""
LIMITS = Limits(cancellation=Severity.LOOSE)


class Verdict(StrEnum):
    PASSED = "passed"
    VACUOUS = "vacuous"
    """Right wherever there is a truth, but there are too few such points for a pass."""
    REFUSED = "refused"
    """With an error that has a place."""
    WRONG = "wrong"
    CRASHED = "crashed"

    @property
    def bad(self) -> bool:
        return self in (Verdict.WRONG, Verdict.CRASHED)


MEANINGS = {
    Verdict.PASSED: "the judge passes the module",
    Verdict.VACUOUS: "nothing is wrong, but too few points have a result in range to say more",
    Verdict.REFUSED: "an error says what is wrong with the spec, and where",
    Verdict.WRONG: "the module is wrong somewhere, by the judge's criterion",
    Verdict.CRASHED: "any other exception, or a refusal that does not say where",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed."""

    seed: int
    verdict: str
    spec: str
    detail: str
    seconds: float
    judged: str
    """A hash of the module and of the judge; empty if there was nothing to judge."""

    @property
    def formula(self) -> str:
        return self.spec[self.spec.index("loss = ") :].strip()


def run_seed(
    seed: int, known: Outcome | None = None, *, points: int = POINTS
) -> Outcome:
    """The verdict on the spec of ``seed``; nothing is raised.

    It is that of ``known`` if the spec, the module and the judge are still the same.
    """
    spec = random_spec(Random(seed))
    start = time.perf_counter()

    def outcome(verdict: Verdict, detail: str, judged: str = "") -> Outcome:
        seconds = time.perf_counter() - start
        return Outcome(seed, verdict, spec, detail, seconds, judged)

    made = compiled(spec)
    if not isinstance(made, Compiled):
        return outcome(*made)
    judged = hashlib.sha256(
        f"{made.text}{judge_version()}{points}".encode()
    ).hexdigest()
    if known is not None and known.judged == judged and known.spec == spec:
        return known
    return outcome(*judgement(made, points=points), judged)


@dataclass(frozen=True, slots=True)
class Compiled:
    loss: Loss
    text: str


def compiled(spec: str) -> Compiled | tuple[Verdict, str]:
    """The module of a spec with one loss; else the verdict on it and the reason."""
    try:
        (loss,) = losses_from_text(spec, "random.toml")
        return Compiled(loss, compile_losses([loss], origin="specs/random.toml").text)
    except LossCodegenError as refused:
        placed = all(d.location is not None for d in refused.diagnostics)
        return (Verdict.REFUSED if placed else Verdict.CRASHED), str(refused)
    except Exception:
        return Verdict.CRASHED, traceback.format_exc(limit=-3)


def judgement(made: Compiled, *, points: int = POINTS) -> tuple[Verdict, str]:
    """What the judge makes of a module, and the reason."""
    try:
        certificate = verify(made.loss, made.text, points=points, limits=LIMITS)
    except Exception:
        return Verdict.CRASHED, "in the judge: " + traceback.format_exc(limit=-3)
    if certificate.passed:
        return Verdict.PASSED, ""
    verdict = Verdict.VACUOUS if certificate.vacuous else Verdict.WRONG
    return verdict, "\n".join(reasons(certificate))


def reasons(certificate: Certificate) -> Iterator[str]:
    """What fails, a line each."""
    for found in certificate.findings:
        if found.severity is Severity.FAILURE:
            yield f"{found.code} {found.dtype or ''}: {found.message}"


# ---------------------------------------------------------------------- the record


def recorded(record: Path | None) -> dict[int, Outcome]:
    if record is None or not record.exists():
        return {}
    lines = record.read_text(encoding="utf-8").splitlines()
    return {o.seed: o for o in (Outcome(**json.loads(line)) for line in lines)}


def run(
    seeds: Iterable[int], record: Path | None, *, jobs: int, seconds: float
) -> dict[int, Outcome]:
    """The outcomes of ``seeds``, as far as ``seconds`` allow; new ones go into the record."""
    found = recorded(record)
    items = [(seed, found.get(seed)) for seed in seeds]
    end = time.monotonic() + seconds
    for _, result in as_finished(_work, items, "fuzzing", _name, processes=jobs):
        outcome = result()
        if record is not None and outcome != found.get(outcome.seed):
            with record.open("a", encoding="utf-8") as out:
                out.write(json.dumps(asdict(outcome)) + "\n")
        found[outcome.seed] = outcome
        if Verdict(outcome.verdict).bad:
            print(report(outcome), flush=True)
        if time.monotonic() > end:
            break
    return {seed: found[seed] for seed, _ in items if seed in found}


Item = tuple[int, Outcome | None]


def _work(item: Item) -> Outcome:
    return run_seed(*item)


def _name(item: Item) -> str:
    return str(item[0])


def report(outcome: Outcome) -> str:
    return f"seed {outcome.seed}: {outcome.verdict}\n{outcome.spec}{outcome.detail}\n"


def table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    counts = Counter(Verdict(o.verdict) for o in outcomes)
    yield "| verdict | specs | meaning |"
    yield "| --- | ---: | --- |"
    for verdict in Verdict:
        yield f"| {verdict} | {counts[verdict]} | {MEANINGS[verdict]} |"


def page(outcomes: list[Outcome]) -> Iterator[str]:
    """docs/fuzz.md: the counts, and every spec that is not right."""
    yield "# Random losses\n"
    yield (
        f"{len(outcomes)} random well-typed specs (tests/fuzz/random_specs.py, one seed each): "
        "inputs of every domain, axes, masks, gathers, pairs, conditions, branches, parameters. "
        f"Each is compiled and judged at {POINTS} random points for each dtype and at its edges, "
        "kinks and seams. Digits that a small result loses beside the usual size of results are "
        f"told, not failed. Torch {torch.__version__}, CPU.\n"
    )
    yield from table(outcomes)
    bad = [o for o in outcomes if Verdict(o.verdict).bad]
    if bad:
        yield "\n## Wrong or crashed\n"
        yield "`python -m benchmarks.fuzz --only SEED` shows one in full.\n"
        yield "| seed | verdict | formula | first finding |"
        yield "| ---: | --- | --- | --- |"
    for outcome in bad:
        first = outcome.detail.splitlines()[0] if outcome.detail else ""
        both = outcome.formula.removeprefix("loss = "), first
        cells = (f"`{c.replace('|', chr(92) + '|')}`" for c in both)
        yield f"| {outcome.seed} | {outcome.verdict} | {' | '.join(cells)} |"


@click.command(help=(__doc__ or "").split(".", maxsplit=1)[0])
@click.option("--count", default=50, help="How many seeds, from --start on.")
@click.option("--start", default=0)
@click.option("--only", type=int, multiple=True, help="These seeds.")
@click.option("--jobs", default=1, help="Processes.")
@click.option("--record", type=click.Path(path_type=Path), help="Outcomes as JSON.")
@click.option("--seconds", default=math.inf, help="Stop after this time.")
@click.option("--page", "as_page", is_flag=True, help="Print docs/fuzz.md.")
def main(
    count: int,
    start: int,
    only: tuple[int, ...],
    jobs: int,
    record: Path | None,
    seconds: float,
    as_page: bool,
) -> None:
    torch.set_num_threads(1)
    seeds = only or range(start, start + count)
    if as_page:
        known = recorded(record)
        print("\n".join(page([known[s] for s in seeds if s in known])))
        return
    outcomes = run(seeds, record, jobs=jobs, seconds=seconds)
    print("\n".join(table(outcomes.values())))
    sys.exit(any(Verdict(o.verdict).bad for o in outcomes.values()))


if __name__ == "__main__":
    main()
