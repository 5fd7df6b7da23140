"""The gallery: every loss is listed and linked, with and without a script."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import html5lib
import pytest

from losscodegen.cli import report
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


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """A project with two specs, and the names of those whose page was worked out."""
    (tmp_path / "specs").mkdir()
    text = '[{}]\ninputs.x = "real[...]"\nloss = "x**2"\n'
    for name in ("one", "two"):
        spec = tmp_path / "specs" / f"{name}.toml"
        spec.write_text(text.format(name.title()))
    monkeypatch.chdir(tmp_path)
    made: list[str] = []
    write = report._made

    def writing(path: Path, *rest: Any) -> dict[str, Any]:
        made.append(path.stem)
        if path.read_text().startswith("[Broken"):
            raise RuntimeError("a fault of ours")
        return write(path, *rest)

    monkeypatch.setattr(report, "_made", writing)
    return tmp_path, made


ALL = ["report", "--all", "-o", "out", "--points", "8", "-j", "1", "-q"]
CACHE = ["--cache-dir", "cache"]


def test_pages_are_found_again(counted: tuple[Path, list[str]]) -> None:
    folder, made = counted
    assert run([*ALL, *CACHE]) == 0
    first = {p.name: p.read_bytes() for p in (folder / "out").iterdir()}
    two = folder / "specs" / "two.toml"
    two.write_text(two.read_text().replace("x**2", "x**4"))
    assert run([*ALL, *CACHE]) == 0
    assert made == ["one", "two", "two"]
    second = {p.name: p.read_bytes() for p in (folder / "out").iterdir()}
    assert {n for n in first if first[n] != second[n]} == {INDEX, "two.html"}
    assert run([*ALL, "--no-cache"]) == 0
    assert made == ["one", "two", "two", "one", "two"]
    assert second == {p.name: p.read_bytes() for p in (folder / "out").iterdir()}


def test_a_fault_of_ours_does_not_cost_the_other_pages(
    counted: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, made = counted
    (folder / "specs" / "a.toml").write_text(
        '[Broken]\ninputs.x = "real[...]"\nloss = "x"\n'
    )
    assert run([*ALL, *CACHE]) == 2
    assert "while writing the page of specs/a.toml" in capsys.readouterr().err
    assert not (folder / "out").exists()
    (folder / "specs" / "a.toml").unlink()
    assert run([*ALL, *CACHE]) == 0
    assert sorted(made) == ["a", "one", "two"]
