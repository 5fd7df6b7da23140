"""A page that shows what does not happen fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.sessions import Session, blocks, needs

PAGE = """\
<!-- needs: one, two -->

<!-- file: notes/a.txt -->
```text
one
two
```

<!-- part of: notes/a.txt -->
```text
two
```

```python
>>> x = 1
```

```python
y = x + 1
```

```python
>>> y
2
```

```console
$ losscodegen --version
losscodegen ...
```
"""


def play(text: str, folder: Path) -> None:
    session = Session(folder, "page.md")
    for block in blocks(text):
        session.play(block)


def test_what_happens_is_what_is_shown(tmp_path: Path) -> None:
    play(PAGE, tmp_path)
    assert (tmp_path / "notes" / "a.txt").read_text(encoding="utf-8") == "one\ntwo\n"
    assert needs(PAGE) == ["one", "two"]
    assert needs("nothing") == []


@pytest.mark.parametrize(
    ("shown", "instead"),
    [
        (">>> y\n2", ">>> y\n3"),
        ("```text\ntwo\n```", "```text\nthree\n```"),
        ("losscodegen ...\n", "something else\n"),
        ("losscodegen ...\n", ""),
        ("$ losscodegen --version", "$ rm -rf nothing"),
        ("y = x + 1", "y = x + 2"),
    ],
)
def test_what_does_not_is_found(shown: str, instead: str, tmp_path: Path) -> None:
    assert shown in PAGE
    with pytest.raises(AssertionError):
        play(PAGE.replace(shown, instead), tmp_path)


def test_toml_has_to_be_toml(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Invalid value"):
        play("```toml\na = \n= b\n```\n", tmp_path)
