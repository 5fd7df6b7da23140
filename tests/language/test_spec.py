"""Reading spec files: where everything stands, and files that cannot be read."""

from __future__ import annotations

import os
import random
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losscodegen.errors import Location, LossCodegenError
from losscodegen.language.parse import losses_from_text
from losscodegen.language.schema import json_schema, keys
from losscodegen.language.source import Source
from losscodegen.language.spans import Span, decode
from losscodegen.language.spec import SpecLoss, read_spec, read_spec_text
from losscodegen.language.toml import LARGEST_FILE, read_toml

SPEC = """\
# Two losses.
[ALoss]
family = "a \\u0066amily"
"summary" = '''
A sentence
  in two lines.
'''
inputs.x = { type = "real[...]", arg = "input", doc = "predictions" }
inputs."y" = "real[...]"
[ALoss.params]
'delta' = "positive = 1.0"
n.type = "count = 2"
n.doc = "how often"

[BLoss]
inputs = { x = "real[B, C]" }
indices = { i = "B" }
let = \"""
a[i] = Sum(x[i, c], c)
\"""
loss = "a[i]\\t + 1"
laws = [
  "loss >= 0", # always
  'loss(x=0) == 1',
]
example = { x = [[1, 2.5]], mode = "a", on = true, result = [4.5] }
interface.forward = ["x"]
"""


def marked(location: Location) -> str:
    return location.text[location.column - 1 : location.end_column - 1]


def losses() -> dict[str, SpecLoss]:
    spec = read_spec_text(SPEC, "specs/two.toml")
    assert spec.module == "two"
    return {loss.name.text: loss for loss in spec.losses}


def error(text: str) -> LossCodegenError:
    with pytest.raises(LossCodegenError) as caught:
        losses_from_text(text, "a.toml")
    return caught.value


# ---------------------------------------------------------------------- values and places


def test_strings_have_their_places() -> None:
    a, b = losses().values()
    assert a.family == "a family"
    assert a.summary == "A sentence in two lines."
    assert a.loss is None
    (x, y), (delta, n) = a.inputs, a.params
    assert marked(x.name.whole()) == "x"
    assert x.type is not None and marked(x.type.whole()) == "real[...]"
    assert x.arg is not None and marked(x.arg.whole()) == "input"
    assert (x.doc, y.doc, n.doc) == ("predictions", "", "how often")
    assert marked(y.name.whole()) == "y"
    assert str(delta.name.whole()) == "specs/two.toml:11:2"
    assert n.type is not None and str(n.type.whole()) == "specs/two.toml:12:11"
    assert b.loss is not None and b.loss.text == "a[i]\t + 1"
    assert marked(b.loss.whole()) == "a[i]\\t + 1"
    assert marked(b.loss.location(4, 7)) == "\\t +"
    assert b.let is not None and str(b.let.whole()) == "specs/two.toml:19:1"
    assert [marked(law.whole()) for law in b.laws] == ["loss >= 0", "loss(x=0) == 1"]
    ((index, axis),) = b.indices
    assert (marked(index.whole()), marked(axis.whole())) == ("i", "B")


def test_examples_are_trees_of_values() -> None:
    example = losses()["BLoss"].example
    assert example is not None
    x, mode, on, result = example
    assert [e.name.text for e in example if e.name] == ["x", "mode", "on", "result"]
    assert (mode.value, on.value) == ("a", True)
    assert isinstance(x.value, tuple)
    (row,) = x.value
    assert isinstance(row.value, tuple)
    assert [marked(v.location) for v in row.value] == ["1", "2.5"]
    assert marked(result.location) == "[4.5]"


def test_arrays_of_tables_have_places_too() -> None:
    spans = read_toml("[[A]]\nx = 1\n[[A]]\nx = 22\n[A.b]\ny = 3\n", "a.toml").spans
    assert marked(spans.value(("A", 0, "x"))) == "1"
    assert marked(spans.value(("A", 1, "x"))) == "22"
    assert marked(spans.value(("A", 1, "b", "y"))) == "3"
    assert spans.key(("A", 1, "nowhere", "else")) == spans.key(("A", 1))
    assert spans.key(("nowhere",)).line == 1


def test_problems_of_the_shape_are_carried_along() -> None:
    spec = read_spec_text('[ALoss]\nsumary = "s"\nloss = 1\n', "a.toml")
    assert [p.code for p in spec.problems] == [
        "missing-key",
        "wrong-type",
        "unknown-key",
    ]
    (loss,) = spec.losses
    assert loss.unreadable == {"inputs", "loss"}


TEXT = st.text(
    st.sampled_from("ab \"'\\\t\n#é損\U0001d6fc\x07") | st.characters(codec="utf-8"),
    max_size=12,
)


@st.composite
def toml_strings(draw: st.DrawFn) -> str:
    """A text in one of the four ways TOML writes strings, as far as the text allows."""
    characters = []
    text = draw(TEXT).replace("\r", "")
    form = draw(st.sampled_from(('"', '"""', "'", "'''")))
    for character in text:
        plain = (character.isprintable() and character not in "\\'\"") or (
            character == "\n" and len(form) == 3
        )
        if plain and draw(st.integers(0, 4)):
            characters.append(character)
        elif form[0] == '"':
            characters.append(draw(escapes(character)))
        elif character.isprintable() and character != "'":
            characters.append(character)
    if form == '"""' and draw(st.booleans()):
        characters.insert(draw(st.integers(0, len(characters))), "\\ \n \t\n  ")
    lead = "\n" if len(form) == 3 and draw(st.booleans()) else ""
    return form + lead + "".join(characters) + form


def escapes(character: str) -> st.SearchStrategy[str]:
    forms = [f"\\U{ord(character):08x}"]
    if ord(character) < 0x10000:
        forms.append(f"\\u{ord(character):04X}")
    short = {"\t": "\\t", "\n": "\\n", '"': '\\"', "\\": "\\\\", "\b": "\\b"}
    if character in short:
        forms.append(short[character])
    return st.sampled_from(forms)


@given(toml_strings())
def test_strings_are_decoded_as_tomllib_does(string: str) -> None:
    text = f"# é損\nkey = {string} # after\n"
    value = tomllib.loads(text)["key"]
    start = text.index("key = ") + 6
    decoded, offsets = decode(text, Span(start, start + len(string)))
    assert decoded == value
    assert len(offsets) == len(value) + 1
    for character, offset in zip(value, offsets, strict=False):
        assert text[offset] in (character, "\\")
    try:
        source = read_toml(text, "a.toml").spans.string(("key",), value)
    except LossCodegenError:
        return  # a control character
    assert source.text == value
    lines = text.split("\n")
    for character, (line, column) in zip(value, source.positions, strict=False):
        assert (lines[line - 1] + "\n")[column - 1] in (character, "\\")


def test_a_string_that_is_decoded_otherwise_still_has_a_place() -> None:
    spans = read_toml('key = "abc"\n', "a.toml").spans
    source = spans.string(("key",), "something else")
    assert isinstance(source, Source)
    assert source.location(3, 5).column == 7


def test_carriage_returns_belong_to_the_line_break() -> None:
    text = '[ALoss]\r\ninputs = { x = "real[...]" }\r\nloss = """\r\nx\r\n + zz"""\r\n'
    (problem,) = error(text).diagnostics
    assert problem.location is not None
    assert (problem.location.line, problem.location.column) == (5, 4)
    assert problem.location.text == ' + zz"""'


# ---------------------------------------------------------------------- files


def file_error(path: Path) -> str:
    with pytest.raises(LossCodegenError) as caught:
        read_spec(path)
    return str(caught.value).replace(path.parent.as_posix(), "")


def test_a_missing_file_is_answered_with_the_closest_name(tmp_path: Path) -> None:
    (tmp_path / "huber.toml").touch()
    assert file_error(tmp_path / "hubre.toml") == (
        "/hubre.toml:1:1: error[no-such-file]: there is no such file\n"
        "hint: did you mean '/huber.toml'?"
    )
    lost = file_error(tmp_path / "nowhere" / "a.toml")
    assert lost == "/a.toml:1:1: error[no-such-file]: there is no such file"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.toml").mkdir()
    message = file_error(tmp_path / "a.toml")
    assert message == "/a.toml:1:1: error[no-such-file]: it is a directory"


def test_a_name_that_is_none() -> None:
    message = file_error(Path("a\0.toml"))
    assert "error[no-such-file]: the file cannot be read: embedded null byte" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.touch(mode=0)
    assert "the file cannot be read: permission denied" in file_error(path)


BYTES = {
    "not UTF-8": (
        b"[ALoss]\nsummary = 'caf\xe9'\n",
        "/a.toml:2:15: error[encoding]: the byte 0xe9 is not UTF-8\n"
        "hint: save the file as UTF-8",
    ),
    "cut off": (
        "é".encode()[:1],
        "/a.toml:1:1: error[encoding]: the byte 0xc3 is not UTF-8\n"
        "hint: save the file as UTF-8",
    ),
    "UTF-16": (
        "[A]\n".encode("utf-16"),
        "/a.toml:1:1: error[encoding]: the file is UTF-16\nhint: save it as UTF-8",
    ),
    "byte order mark": (
        b"\xef\xbb\xbf[ALoss]\n",
        "/a.toml:1:1: error[encoding]: the file starts with a byte order mark\n"
        "hint: save it as UTF-8 without a mark",
    ),
    "NUL": (
        b"[A\x00Loss]\n",
        "/a.toml:1:3: error[control-character]: the control character U+0000 is not allowed\n"
        "    [A\ufffdLoss]\n"
        "      ^",
    ),
    "lone carriage return": (
        b"[ALoss]\rloss = 1\n",
        "/a.toml:1:8: error[control-character]: the control character U+000D is not allowed\n"
        "    [ALoss]\ufffdloss = 1\n"
        "           ^",
    ),
    "too large": (
        b"#" * (LARGEST_FILE + 1),
        "/a.toml:1:1: error[file-too-large]: the file has more than 262144 bytes\n"
        "hint: a file is one module of losses; split it",
    ),
}


@pytest.mark.parametrize("content", BYTES)
def test_bytes_that_are_no_text(content: str, tmp_path: Path) -> None:
    data, expected = BYTES[content]
    (tmp_path / "a.toml").write_bytes(data)
    assert file_error(tmp_path / "a.toml") == expected


def test_a_text_has_the_same_limits() -> None:
    assert "error[file-too-large]: the file has 262145 bytes" in str(
        error("#" * (LARGEST_FILE + 1))
    )
    assert "half a character" in str(error("# \ud800"))


def test_a_file_of_the_largest_size_is_read_soon(tmp_path: Path) -> None:
    loss = '[A{}Loss]\ninputs.x = "real[...]"\nloss = "x"\n'
    text = "".join(loss.format(number) for number in range(1000))
    path = tmp_path / "a.toml"
    path.write_text(text + "#" * (LARGEST_FILE - len(text)))
    assert len(read_spec(path).losses) == 1000


def test_what_python_cannot_hold_is_an_error_too() -> None:
    assert "nested too deeply" in str(error("x = " + "[" * 5000))
    assert "nested too deeply" in str(error("x = " + "{a = " * 5000))
    number = error("[ALoss]\nx = " + "9" * 5000 + "\n")
    assert "a.toml:2:5: error[toml-syntax]: an integer is too long" in str(number)
    assert max(map(len, str(number).split("\n"))) < 200


def test_a_module_needs_a_name() -> None:
    text = '[ALoss]\ninputs.x = "real[...]"\nloss = "x"\n'
    for file, reason in (
        ("my-loss.toml", "'my-loss', which is no Python name"),
        ("class.toml", "'class', which is a keyword of Python"),
        ("torch.toml", "'torch', which would hide the module of that name"),
        ("__init__.toml", "'__init__', which starts with an underscore"),
        ("", "'', which is no Python name"),
    ):
        with pytest.raises(LossCodegenError) as caught:
            losses_from_text(text, file)
        (problem,) = caught.value.diagnostics
        assert problem.message == f"the file makes a module called {reason}"
    (loss,) = losses_from_text(text)
    assert loss.module == "text"


# ---------------------------------------------------------------------- hostile files


CASES = sorted((Path(__file__).parents[1] / "cases" / "spec_errors").glob("*.txt"))
PIECES = (
    *('"', "'", '"""', "'''", "[", "]", "{", "}", "=", "\n", "\r\n", "\t", "\\", "#"),
    *(".", ",", "[[A]]", "[A]\n", "\\u0041", "\\ud800", "1e400", "nan", "oo", "..."),
    *("損", "\u202e", "\x00", "ﬁ", "Sum(", "**", "1979-05-27", "loss", "in", "none"),
)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_no_other_exception_ever_escapes(path: Path) -> None:
    text = path.read_text(encoding="utf-8").partition("# output\n")[0]
    chance = random.Random(path.stem)
    for _ in range(10):
        broken = text
        for _ in range(chance.randint(1, 4)):
            start = chance.randint(0, len(broken))
            end = start + chance.choice((0, 0, 1, 3, 20))
            broken = broken[:start] + chance.choice(PIECES) + broken[end:]
        with suppress(LossCodegenError):
            losses_from_text(broken, "a.toml")


# ---------------------------------------------------------------------- the schema


def test_every_key_of_the_schema_is_described() -> None:
    schema = json_schema()
    tables = [*schema["$defs"].values(), *schema["$defs"]["VariableTable"]["anyOf"]]
    described = 0
    for table in tables:
        for key in table.get("properties", {}).values():
            assert key.get("description"), key
            assert "null" not in str(key)
            described += 1
    assert described >= 25
    assert set(schema["$defs"]["LossTable"]["required"]) == {"inputs", "loss"}


def test_the_schema_knows_the_keys_of_each_table() -> None:
    assert set(keys(("ALoss", "inputs", "x"))) == {"type", "arg", "doc", "buffer"}
    assert "compare" in keys(("ALoss", "interface"))
    assert "mean_weight" in keys(("ALoss",))
    assert json_schema() == json_schema()
    json_schema()["$defs"].clear()
    assert json_schema()["$defs"]
