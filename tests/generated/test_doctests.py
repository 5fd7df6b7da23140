"""The example of every generated class runs, and prints what it says it prints."""

from __future__ import annotations

import doctest

import pytest

from tests.generated.library import Case, cases


@pytest.mark.parametrize("case", cases(), ids=str)
def test_example(case: Case) -> None:
    (test,) = [
        test
        for test in doctest.DocTestFinder().find(case.module)
        if test.name == f"{case.module.__name__}.{case.loss.name}"
    ]
    assert any(example.want for example in test.examples)
    report: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert result.failed == 0, "".join(report)


def test_lines_of_the_docstrings_fit() -> None:
    """At most 88 characters, where a line can be broken at all."""
    long = {
        str(case): lines
        for case in cases()
        if (
            lines := [
                line
                for line in (case.factory.__doc__ or "").split("\n")
                if len(line) > 88 and "https://" not in line
            ]
        )
    }
    assert long == {}
