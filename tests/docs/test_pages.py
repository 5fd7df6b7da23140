"""Everything that the pages of the documentation show is done, and comes out as it is shown."""

from __future__ import annotations

import ast
import os
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.docs.sessions import Session, blocks, needs, own_modules

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md"))
    if "_build" not in path.parts
}
SHOWING = [name for name, text in PAGES.items() if any(blocks(text))]


def test_pages_show_something() -> None:
    assert "tutorial.md" in SHOWING
    assert len([name for name in SHOWING if name.startswith("how-to/")]) >= 6


@pytest.mark.parametrize("name", SHOWING)
def test_it_is_as_the_page_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PAGES[name]
    libraries = needs(text)
    for library in libraries:
        if find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    monkeypatch.chdir(tmp_path)
    # Frameworks are chosen by variables, which are the page's and not ours.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    torch.manual_seed(0)
    session = Session(tmp_path, name)
    with own_modules(), warnings.catch_warnings():
        if libraries:
            warnings.simplefilter("ignore")  # theirs
        sys.path.insert(0, str(tmp_path))
        for block in blocks(text):
            session.play(block)


@pytest.mark.parametrize("name", [n for n in SHOWING if needs(PAGES[n])])
def test_our_part_works_without_the_library(name: str) -> None:
    """What can be had everywhere: the code is Python, and what it takes from us is there."""
    imported: dict[str, object] = {}
    for block in blocks(PAGES[name]):
        if block.language != "python" or ">>>" in block.body:
            continue
        for node in ast.parse(block.body).body:
            if isinstance(node, ast.ImportFrom) and "losscodegen" in (
                node.module or ""
            ):
                exec(ast.unparse(node), imported)
    assert [n for n in imported if n != "__builtins__"]
