"""The page of a loss: one file, nothing loaded from anywhere, the same bytes each time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import html5lib
import pytest

from losscodegen.cli.main import run
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import check_text, generate_text
from losscodegen.teach.report import Subject, report

ROOT = Path(__file__).parents[2]

SPEC = """\
[SoftplusLoss]
family = "<script>alert(1)</script>"
summary = "Softplus & <b>friends</b>."
reference = "Dugas 2001, https://example.org/a?b=1&c=2."
inputs.x = { type = "real[...]", arg = "logits", doc = "a \\"quoted\\" <i>input</i>" }
loss = "log(1 + exp(x))"
laws = ["loss >= 0"]
example = { x = [0.0], result = [0.6931471805599453] }
"""


def subject(spec: str, *, judged: bool = True) -> Subject:
    (loss,) = losses_from_text(spec, "some.toml")
    source = generate_text(spec, file="some.toml").text
    (certificate,) = check_text(spec, source, file="some.toml", points=20)
    return Subject(
        loss=loss, spec=spec, source=source, certificate=certificate if judged else None
    )


@pytest.fixture(scope="module")
def page() -> str:
    return report([subject(SPEC)])


def test_it_is_html_without_errors(page: str) -> None:
    parser = html5lib.HTMLParser(strict=True)
    tree = parser.parse(page)
    assert not parser.errors
    spaces = {
        element.tag.partition("}")[0]
        for element in tree.iter()
        if isinstance(element.tag, str)
    }
    assert any("MathML" in s for s in spaces)
    assert any("svg" in s for s in spaces)


def test_nothing_is_loaded_and_nothing_is_run(page: str) -> None:
    assert "<script" not in page
    assert not re.search(
        r"\son\w+=", re.sub(r"<code>.*?</code>", "", page, flags=re.DOTALL)
    )
    for attribute in re.findall(r"\b(?:src|href|action|data)=\"([^\"]*)\"", page):
        assert attribute.startswith(("#", "https://example.org/"))
    assert all(
        url.startswith("data:font/woff2")
        for url in re.findall(r"url\(\"([^\"]*)", page)
    )


def test_what_a_spec_says_is_text(page: str) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Softplus &amp; &lt;b&gt;friends&lt;/b&gt;." in page
    assert 'href="https://example.org/a?b=1&amp;c=2"' in page
    assert "<b>" not in page


def test_every_part_is_there_and_pointed_to(page: str) -> None:
    for name in ("mathematics", "derivatives", "shape", "digits", "guards", "graph",
                 "certificate", "survival", "code"):  # fmt: skip
        assert f'<section id="{name}"' in page
        assert f'<a href="#{name}">' in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_the_certificate_is_all_told(page: str) -> None:
    spec = subject(SPEC)
    assert spec.certificate is not None
    text = re.sub(r"<[^>]+>", "", page)
    assert f"at {spec.certificate.points} points" in text
    for check in spec.certificate.checks:
        assert str(check.judged) in text
        for name, count in check.beside:
            assert f"{count} {name}" in text
    for claim in spec.certificate.claims:
        assert (
            claim.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            in page
        )


def test_without_a_certificate_it_says_so() -> None:
    assert "It was not judged" in report([subject(SPEC, judged=False)])


def test_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    spec = tmp_path / "some.toml"
    spec.write_text(SPEC)
    pages = []
    for seed in ("1", "2"):
        target = tmp_path / f"{seed}.html"
        command = [
            sys.executable,
            "-m",
            "losscodegen",
            "report",
            str(spec),
            "-o",
            str(target),
        ]
        subprocess.run(
            [*command, "--no-cache", "--points", "20", "--quiet"],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            check=True,
            cwd=tmp_path,
        )
        pages.append(target.read_bytes())
    assert pages[0] == pages[1]
    assert str(tmp_path).encode() not in pages[0]


def test_several_losses_of_a_spec_share_a_page() -> None:
    text = SPEC + '\n[Other]\ninputs.x = "real[...]"\nloss = "x**2"\n'
    source = generate_text(text, file="some.toml").text
    subjects = [
        Subject(loss=loss, spec=text, source=source)
        for loss in losses_from_text(text, "some.toml")
    ]
    made = report(subjects)
    ids = re.findall(r'\bid="([^"]+)"', made)
    assert len(ids) == len(set(ids))
    assert 'id="other-mathematics"' in made


def test_report_takes_one_spec(tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    assert run(["report", "-o", str(target)]) == 2
    assert run(["report", "huber", "mse", "-o", str(target)]) == 2
    assert run(["report", "no_such_loss", "-o", str(target)]) == 2
    assert not target.exists()
