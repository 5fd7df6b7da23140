"""The generated parts of the documentation have an entry for every row of every table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import losscodegen
from losscodegen.cli.forms import FORMS
from losscodegen.cli.main import program
from losscodegen.compiler.rules import RULES
from losscodegen.compiler.search.form import WHYS
from losscodegen.ir.loss import DomainKind
from losscodegen.ir.ops import OPS
from losscodegen.language.schema import ClauseTable, InterfaceTable, LossTable
from losscodegen.resources import bundled_specs
from losscodegen.teach.codes import CODES
from losscodegen_docs import fill as filling
from losscodegen_docs.commands import command_anchor, commands
from losscodegen_docs.domains import domains
from losscodegen_docs.errors import error_anchor, errors
from losscodegen_docs.fill import PARTS, Parts, fill
from losscodegen_docs.functions import form_anchor, functions, kinks, op_anchor
from losscodegen_docs.keys import keys
from losscodegen_docs.library import library
from losscodegen_docs.markdown import code, html, prose, table
from losscodegen_docs.names import directive, names, results
from losscodegen_docs.rules import (
    chapters,
    forms,
    rule_anchors,
    rule_index,
    rules,
)

DOCS = Path(__file__).parents[2] / "docs"


def test_every_function_has_an_entry() -> None:
    text = functions()
    anchors = [op_anchor(op) for op in OPS.values()]
    anchors += [form_anchor(form) for form in FORMS]
    for anchor in anchors:
        assert text.count(f"({anchor})=\n") == 1, anchor


def test_a_function_is_told_of_as_the_table_has_it() -> None:
    entry = functions().partition("(op-pow)=")[2].partition("(op-mod)=")[0]
    assert "- in PyTorch: `x.pow(y)`" in entry
    assert "`y*x**(y - 1)` by `x`" in entry
    assert re.search(r"measured: value 0\.\d+, derivative \d+, second", entry)


def test_every_kink_with_a_convention_is_in_the_table() -> None:
    text = kinks()
    for op in OPS.values():
        assert (f"(#{op_anchor(op)})" in text) == bool(op.kinks and op.convention)


def test_every_domain_has_a_row() -> None:
    rows = domains().splitlines()[2:]
    assert len(rows) == len(DomainKind)


def test_every_key_has_a_row() -> None:
    text = keys()
    for model in (LossTable, InterfaceTable, ClauseTable):
        for name in model.model_fields:
            assert f"\n| `{name}` |" in text


def test_every_code_has_an_entry() -> None:
    text = errors()
    for name in CODES:
        assert f"({error_anchor(name)})=\n## {name}\n" in text


def test_every_command_has_an_entry_with_its_options() -> None:
    text = commands()
    for name, command in program.commands.items():
        entry = text.partition(f"({command_anchor(name)})=")[2].partition("\n(")[0]
        for parameter in command.params:
            assert all(o in entry for o in parameter.opts if o.startswith("--"))


def test_every_public_name_is_documented() -> None:
    text = names()
    for name in losscodegen.__all__:
        assert (f":: losscodegen.{name}\n" in text) != name.startswith("_")
    assert ".. autoexception:: losscodegen.LossCodegenError" in text
    assert ".. autoclass:: losscodegen.api.CompiledLoss\n" in results()
    assert directive(Path) == "autoclass"
    assert directive(1) == "autodata"


def test_every_loss_is_in_the_library() -> None:
    assert library().count("\n| `") >= len(bundled_specs())


def test_every_rule_is_in_a_chapter_and_in_the_index() -> None:
    rows = [row for rows in chapters().values() for row in rows]
    assert sorted(map(id, rows)) == sorted(map(id, RULES))
    anchors = rule_anchors()
    assert len(set(anchors.values())) == len(anchors)
    index = rule_index()
    assert all(f"(#{anchor})" in index for anchor in anchors.values())


def test_every_chapter_has_a_page_that_can_be_found() -> None:
    folder = DOCS / "reference" / "rules"
    index = (folder / "index.md").read_text(encoding="utf-8")
    for name in chapters():
        page = (folder / f"{name}.md").read_text(encoding="utf-8")
        assert f"<!-- generated: rules {name} -->" in page
        assert f"\n{name}\n" in index


def test_a_rule_is_told_of_with_its_witness_measured_and_drawn() -> None:
    text = rules("saturation")
    for row in chapters()["saturation"]:
        assert row.pattern in text
    assert text.count('<figure class="witness">') == len(chapters()["saturation"])
    assert text.count("| bits lost | replacement | bits lost |") == text.count(
        "<figure "
    )


def test_forms_of_the_search_are_listed() -> None:
    text = forms()
    assert all(f"| `{name}` |" in text for name in WHYS)


# ------------------------------------------------------------------------------------- filling


def test_a_part_takes_the_place_of_its_line() -> None:
    made = fill(
        "a\n<!-- generated: rules logs -->\nb\n<!-- generated: keys -->\n",
        lambda name, word: f"{name}:{word}",
    )
    assert made == "a\nrules:logs\nb\nkeys:\n"


def test_there_is_no_other_part(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="nonsense"):
        fill("<!-- generated: nonsense -->", Parts(tmp_path))


def test_every_page_asks_for_parts_that_there_are() -> None:
    def known(name: str, word: str) -> str:
        assert name in PARTS
        if name == "rules":
            assert word in chapters()
        return ""

    for page in DOCS.rglob("*.md"):
        made = fill(page.read_text(encoding="utf-8"), known)
        assert "<!-- generated:" not in made


def test_what_was_measured_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def slow(word: str) -> str:
        made.append(word)
        return f"{word}!"

    monkeypatch.setattr(filling, "PARTS", {"rules": slow})
    parts = Parts(tmp_path)
    assert [parts("rules", "a"), parts("rules", "a"), parts("rules", "b")] == [
        *("a!", "a!", "b!")
    ]
    assert made == ["a", "b"]


# ------------------------------------------------------------------------------------ markdown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b and x**2", r"a\_b and x\*\*2"),
        ("see `a_b`, not [c]", r"see `a_b`, not \[c\]"),
        ("x < y |z|", r"x \< y \|z\|"),
    ],
)
def test_prose_is_text(text: str, expected: str) -> None:
    assert prose(text) == expected


def test_code_may_have_backticks() -> None:
    assert code("a `b` c") == "`` a `b` c ``"


def test_cells_stay_in_their_columns() -> None:
    assert table(("a",), [(code("x | y"),)]).splitlines()[2] == r"| `x \| y` |"


def test_html_is_one_line() -> None:
    assert html("<p>\na</p>") == "<p> a</p>\n"
