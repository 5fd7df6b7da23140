"""The judge before losses that were written by hand: broken ones fail, right ones pass.

``UPDATE_LAB=1 pytest tests/test_lab.py -m slow`` writes `docs/lab.md` anew.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from losscodegen.judge.foreign_check import verify_module
from tests.lab_modules import LabModule, manifest

PAGE = Path(__file__).parents[1] / "docs" / "lab.md"
MODULES = manifest()
SAMPLE = (
    "bce_plain_product",
    "cauchy_where_square",
    "cross_entropy_functional",
    "cross_entropy_margin",
    "dice_eps_denominator",
    "fair_log",
    "gaussian_nll_eps",
    "hinge_sign",
    "huber_function",
    "huber_functional",
    "log_cosh_softplus",
    "mae_noise_robust",
    "msle_offset",
    "perceptron_ties",
    "ppo_mask_product",
    "pseudo_huber_root",
    "r2_moments",
    "smooth_l1_strict",
    "vae_kl_exp",
    "welsch_exp",
    "wing_log1p",
    "zip_indicator",
)
"""By file: some of each verdict and of the kinds of defects, the quick ones."""


@dataclass(frozen=True)
class Result:
    """What the judge says of a module, and the processor time that it took."""

    module: LabModule
    passed: bool
    cause: str
    seconds: float

    @property
    def right(self) -> bool:
        return self.passed == (self.module.verdict == "right")


def stem(module: LabModule) -> str:
    return Path(module.file).stem


def judged(module: LabModule) -> Result:
    start = time.process_time()
    found = verify_module(
        module.target,
        module.loss,
        arguments=module.args,
        init=module.init,
        reduction=module.reduction,  # type: ignore[arg-type]
    )
    seconds = time.process_time() - start
    assert found.certificate.verdict != "vacuous"
    cause = found.diagnosis.code if found.diagnosis is not None else ""
    return Result(module, found.passed, cause, seconds)


@pytest.mark.parametrize(
    "module", [m for m in MODULES if stem(m) in SAMPLE], ids=lambda m: m.file
)
def test_some_modules(module: LabModule) -> None:
    result = judged(module)
    assert result.right
    assert result.cause == module.cause


def test_the_sample_is_there() -> None:
    assert {stem(m) for m in MODULES} >= set(SAMPLE)
    assert {m.verdict for m in MODULES if stem(m) in SAMPLE} == {"broken", "right"}


@pytest.mark.slow
def test_all_modules() -> None:
    """Every verdict, four causes of five, and the page that says so."""
    results = [judged(module) for module in MODULES]
    page = written(results)
    if os.environ.get("UPDATE_LAB"):
        PAGE.write_text(page, encoding="utf-8")
    assert [r.module.file for r in results if not r.right] == []
    broken = [r for r in results if r.module.verdict == "broken"]
    assert sum(r.cause == r.module.cause for r in broken) >= 0.8 * len(broken)
    assert statistics.median(r.seconds for r in results) < 5
    assert without_times(PAGE.read_text(encoding="utf-8")) == without_times(page)


def without_times(page: str) -> list[str]:
    return [line for line in page.splitlines() if "seconds" not in line]


def written(results: list[Result]) -> str:
    """The page on these results."""
    broken = [r for r in results if r.module.verdict == "broken"]
    right = [r for r in results if r.module.verdict == "right"]
    known = sum(r.cause == r.module.cause for r in broken)
    times = [r.seconds for r in results]
    lines = [
        "# The judge before hand-written losses",
        "",
        "`tests/lab` has losses as they are written by hand: broken ones with one defect each, and "
        "right ones. This is",
        "what `losscodegen check FILE.py:NAME` says of them; `tests/test_lab.py` measures it.",
        "",
        "Seed 0, with which the limits were chosen. With another seed there are other points, and "
        "causes may be named otherwise.",
        "`--budget` goes on with other seeds. [mutants.md](mutants.md) changes the judge and the "
        "library instead of losses.",
        "",
        "| | |",
        "| --- | --- |",
        f"| broken, and caught | {sum(r.right for r in broken)} of {len(broken)} |",
        f"| right, and passed | {sum(r.right for r in right)} of {len(right)} |",
        f"| broken, with the right cause | {known} of {len(broken)} |",
        f"| median time | {statistics.median(times):.1f} seconds |",
        f"| longest time | {max(times):.0f} seconds |",
        "",
        "By cause:",
        "",
        "| cause | modules | caught | named |",
        "| --- | --- | --- | --- |",
    ]
    for cause, count in sorted(Counter(r.module.cause for r in broken).items()):
        own = [r for r in broken if r.module.cause == cause]
        caught = sum(r.right for r in own)
        named = sum(r.cause == cause for r in own)
        lines.append(f"| {cause} | {count} | {caught} | {named} |")
    lines += ["", "## Misses", ""]
    missed = [r for r in results if not r.right]
    if missed:
        lines += ["| module | verdict | should be |", "| --- | --- | --- |"]
        lines += [
            f"| {r.module.file} | {'right' if r.passed else 'broken'} | {r.module.verdict} |"
            for r in missed
        ]
    else:
        lines.append("No verdict is wrong.")
    lines += ["", "| caught for another cause | named | is |", "| --- | --- | --- |"]
    lines += [
        f"| {r.module.file} | {r.cause} | {r.module.cause} |"
        for r in broken
        if r.right and r.cause != r.module.cause
    ]
    return "\n".join(lines) + "\n"
