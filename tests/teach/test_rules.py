"""Rules explained: the witness of a rule, and the counterexample of a refuted one, in bits."""

from __future__ import annotations

import pytest

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
