"""Derivations and guards in a report: every line is set, every measurement is told."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html import unescape

import pytest

from losscodegen.language.parse import load_losses
from losscodegen.resources import specs_directory
from losscodegen.teach.explain import explain
from losscodegen.teach.stories import LETTERS, derivations, guards


@pytest.mark.parametrize("name", ["log_cosh", "dice", "cross_entropy"])
def test_a_story_has_all_that_the_explanation_has(name: str) -> None:
    (loss,) = load_losses(specs_directory() / f"{name}.toml")
    explanation = explain(loss)
    told = "".join(derivations(explanation))
    for math in re.findall(r"<math.*?</math>", told + guards(explanation), re.DOTALL):
        ET.fromstring(math)
    shown = [a.text or "" for a in ET.fromstring(f"<a>{told}</a>").iter("annotation")]
    for derivation in explanation.derivations:
        assert any(derivation.result.latex in text for text in shown)
        if len(derivation.steps) > 1:
            for step in derivation.steps:
                assert f"= {step.after.latex}" in shown
    listed = guards(explanation)
    for story in explanation.guards:
        assert f"<strong>{story.rule}</strong>" in listed
        for cell in re.findall(r'<td class="wide"><code>(.*?)</code>', listed):
            assert len(unescape(cell)) <= LETTERS
        for measured in story.measured:
            assert f"{measured.naive_bits:.1f} of {measured.precision}" in listed
