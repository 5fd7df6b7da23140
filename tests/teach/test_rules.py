"""Rules explained: the witness of a rule, and the counterexample of a refuted one, in bits."""

from __future__ import annotations

import pytest

from losscodegen.cli.main import run
from losscodegen.teach.rules import RULE_NAMES, explain_rule


@pytest.mark.parametrize("name", RULE_NAMES[::9])
def test_the_witness_is_measured(name: str) -> None:
    for story in explain_rule(name):
        assert story.measured
        assert story.why
        assert story.source
        for m in story.measured:
            wrong = m.guarded_bits if story.refuted else m.naive_bits
            assert wrong is not None
            assert wrong > 0
            if not story.refuted:
                assert m.guarded_bits is not None
                assert m.guarded_bits < m.naive_bits


def test_a_page_has_the_pictures_of_a_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "log1mexp", "--format", "html"]) == 0
    page = capsys.readouterr().out
    stories = explain_rule("log1mexp")
    assert page.count('<figure class="witness">') == len(stories)
    assert page.count("Wrong bits of the") >= len(stories)
    assert run(["explain", "log1mexp", "--format", "md"]) == 0
    assert "<figure" not in capsys.readouterr().out
