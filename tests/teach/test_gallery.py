"""The gallery: every loss is listed and linked, with and without a script."""

from __future__ import annotations

import re
from pathlib import Path

import html5lib
import pytest

from losscodegen.cli.main import run
from losscodegen.teach.gallery import INDEX, SCRIPT, STYLE, Card, anchor, gallery

CARDS = [
    Card(
        name=f"{letter.upper()}Loss",
        family=family,
        summary=f"{letter} <b>",
        mathematics="a < b",
        verdict="failed" if letter == "b" else "passed",
        address=f"{letter}.html",
    )
    for letter, family in (("b", "x & y"), ("a", "x & y"), ("c", ""))
]


def test_losses_stand_in_their_families_by_name() -> None:
    page = gallery(CARDS)
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(page)
    assert re.findall(r'<li><a href="(\w+\.html)">', page) == [
        "c.html",
        "a.html",
        "b.html",
    ]
    assert page.index("without a family") < page.index("x &amp; y")
    for family in ("x & y", "without a family"):
        assert f'href="#{anchor(family)}"' in page
        assert f'id="{anchor(family)}"' in page
    assert "3 losses in 2 families" in page
    assert '<span class="verdict failed">failed</span>' in page
    assert "b &lt;b&gt;" in page


def test_the_search_is_hidden_until_its_script_runs() -> None:
    assert '<search class="search" hidden>' in gallery(CARDS)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    (folder / "specs" / "inner").mkdir(parents=True)
    text = '[{}]\nfamily = "f"\ninputs.x = "real[...]"\nloss = "x**2"\n'
    (folder / "specs" / "one.toml").write_text(text.format("One"))
    (folder / "specs" / "inner" / "one.toml").write_text(text.format("Other"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert (
            run(["report", "--all", "-o", "out", "--points", "8", "-j", "1", "-q"]) == 0
        )
    return folder / "out"


def test_every_link_leads_to_a_file(written: Path) -> None:
    names = {path.name for path in written.iterdir()}
    assert {INDEX, STYLE, SCRIPT, "one.html", "inner.one.html"} <= names
    for path in written.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        for address in re.findall(r'(?:href|src)="([^"#]+)"', text):
            assert address in names


def test_nothing_is_written_if_one_spec_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "specs").mkdir()
    good = '[One]\ninputs.x = "real[...]"\nloss = "x**2"\n'
    (tmp_path / "specs" / "one.toml").write_text(good)
    (tmp_path / "specs" / "two.toml").write_text(good.replace("x**2", "x**"))
    monkeypatch.chdir(tmp_path)
    command = ["report", "--all", "-o", "out", "--points", "8", "-j", "1", "--no-cache"]
    assert run(command) == 2
    assert not (tmp_path / "out").exists()
