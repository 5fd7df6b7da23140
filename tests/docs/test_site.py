"""The site is built without a warning, holds together, and needs nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = re.compile(r"(?:[a-z]+:)?//", re.IGNORECASE)


@dataclass
class Page(HTMLParser):
    """What a page refers to: links for a reader, resources for the browser."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.ids.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") in ("stylesheet", "preload", "icon"):
            self.resources.append(found["href"])
        if "src" in found:
            self.resources.append(found["src"])


def build(folder: Path) -> None:
    """What `make docs` does."""
    command = (
        f"{sys.executable} -m sphinx -W --keep-going -n -q -b html "
        f"-d {folder / 'doctrees'} docs {folder / 'html'}"
    )
    # No network, and nothing of this machine but the checkout.
    offline = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        command.split(),
        cwd=ROOT,
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_site(tmp_path: Path) -> None:
    """One test, so that processes side by side do not build it several times."""
    for library in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(library)
    build(tmp_path)
    html = tmp_path / "html"
    pages: dict[Path, Page] = {}
    for path in html.rglob("*.html"):
        pages[path] = Page()
        pages[path].feed(path.read_text(encoding="utf-8"))
    assert len(pages) > 40
    assert every_entry_is_there(html, pages) == []
    assert broken_links(html, pages) == []
    assert from_elsewhere(html, pages) == []


def every_entry_is_there(html: Path, pages: dict[Path, Page]) -> list[str]:
    """The anchors of ops, rules and codes that the pages lack."""
    from losscodegen.cli.forms import FORMS
    from losscodegen.compiler.rules import REFUTED
    from losscodegen.ir.ops import OPS
    from losscodegen.teach.codes import CODES
    from losscodegen_docs.errors import error_anchor
    from losscodegen_docs.functions import form_anchor, op_anchor
    from losscodegen_docs.rules import refuted_anchor, rule_anchors

    reference = html / "reference"
    wanted = [(reference / "functions.html", op_anchor(op)) for op in OPS.values()]
    wanted += [(reference / "functions.html", form_anchor(form)) for form in FORMS]
    wanted += [(reference / "errors.html", error_anchor(name)) for name in CODES]
    for (chapter, _), anchor in rule_anchors().items():
        wanted.append((reference / "rules" / f"{chapter}.html", anchor))
    for row in REFUTED:
        wanted.append((reference / "rules" / "refuted.html", refuted_anchor(row.name)))
    return [anchor for path, anchor in wanted if anchor not in pages[path].ids]


def broken_links(html: Path, pages: dict[Path, Page]) -> list[str]:
    """Links within the site that lead nowhere."""
    found = []
    for path, page in pages.items():
        for link in page.links:
            if ELSEWHERE.match(link) or link.startswith("mailto:"):
                continue
            name, fragment = urldefrag(unquote(link))
            target = (path.parent / name).resolve() if name else path
            ids = pages[target].ids if target in pages else set()
            if not target.exists() or (fragment and fragment not in ids):
                found.append(f"{path.relative_to(html)}: {link}")
    return found


def from_elsewhere(html: Path, pages: dict[Path, Page]) -> list[str]:
    """What a browser would load over the network."""
    found = [
        f"{path.relative_to(html)}: {resource}"
        for path, page in pages.items()
        for resource in page.resources
        if ELSEWHERE.match(resource)
    ]
    for path in html.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r"(?:@import\s+|url\()\s*[\"']?([^\"')\s;]+)", text)
        found += [f"{path.name}: {u}" for u in loaded if ELSEWHERE.match(u)]
    return found
