"""The store: what comes back is what was put there, or nothing."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from losscodegen.store import UNUSED_S, Store

KEY = {"spec": "x**2", "options": {"seed": 0}}
VALUE = {"verdict": "passed", "ulp": [0.1, 1.5], "words": "ä\n\0"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "deep" / "cache")


def entry(store: Store) -> Path:
    (path,) = store.folder.glob("??/*.json")
    return path


def test_hit(store: Store) -> None:
    assert store.get("verdict", KEY) is None
    store.put("verdict", KEY, VALUE)
    assert store.get("verdict", KEY) == VALUE
    assert Store(store.folder).get("verdict", dict(reversed(KEY.items()))) == VALUE


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("module", KEY),
        ("verdict", KEY | {"spec": "x**3"}),
        ("verdict", KEY | {"options": {"seed": 1}}),
        ("verdict", KEY | {"options": {"seed": False}}),
        ("verdict", KEY | {"options": {"seed": 0.0}}),
        ("verdict", KEY | {"more": None}),
        ("verdict", {"spec": "x**2"}),
    ],
)
def test_another_key_is_a_miss(store: Store, kind: str, key: dict[str, Any]) -> None:
    store.put("verdict", KEY, VALUE)
    assert store.get(kind, key) is None


def test_one_hash_for_two_keys_is_a_miss(store: Store) -> None:
    """The whole key is compared, not only the name of the file."""
    store.put("verdict", KEY, VALUE)
    path = entry(store)
    other = json.loads(path.read_text(encoding="utf-8"))
    other["key"]["spec"] = "x**4"
    path.write_text(json.dumps(other), encoding="utf-8")
    assert store.get("verdict", KEY) is None


def test_every_way_to_be_spoilt_is_a_miss(store: Store) -> None:
    store.put("verdict", KEY, VALUE)
    path = entry(store)
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        assert store.get("verdict", KEY) is None, end
    for text in (b"[]", b"null", b"\xff", b"{}", b"[" * 100_000, b'{"key": 1}'):
        path.write_bytes(text)
        assert store.get("verdict", KEY) is None, text[:20]
    path.write_bytes(whole.replace(b"passed", b"failed"))
    assert store.get("verdict", KEY) is None
    path.unlink()
    path.mkdir()
    assert store.get("verdict", KEY) is None
    store.put("verdict", KEY, VALUE)  # and nothing is raised


def test_a_spoilt_entry_is_replaced(store: Store) -> None:
    store.put("verdict", KEY, VALUE)
    entry(store).write_text("{", encoding="utf-8")
    store.put("verdict", KEY, VALUE)
    assert store.get("verdict", KEY) == VALUE


def test_a_folder_that_cannot_be_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    store = Store(tmp_path / "file" / "cache")
    store.put("verdict", KEY, VALUE)
    store.prune()
    assert store.get("verdict", KEY) is None


def test_git_ignores_the_folder(store: Store) -> None:
    store.put("verdict", KEY, VALUE)
    assert (store.folder / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert (store.folder / "CACHEDIR.TAG").exists()


def test_what_is_not_used_is_thrown_away(store: Store) -> None:
    store.put("verdict", KEY, VALUE)
    path = entry(store)
    draft = path.with_name(".killed.0123.tmp")
    draft.touch()
    long_ago = time.time() - UNUSED_S - 60
    for old in (path, draft):
        os.utime(old, (long_ago, long_ago))
    assert store.get("verdict", KEY) == VALUE  # used: it stays
    store.prune()
    assert store.get("verdict", KEY) == VALUE
    assert not draft.exists()
    os.utime(path, (long_ago, long_ago))
    store.prune()
    assert not path.exists()


def hammer(store: Store, number: int) -> list[Any]:
    """Puts and gets the same few entries over and over; returns what was wrong."""
    wrong = []
    for turn in range(150):
        key = KEY | {"turn": turn % 5}
        value = VALUE | {"padding": str(turn % 5) * 20_000}
        store.put("verdict", key, value)
        if (found := store.get("verdict", key)) != value:
            wrong.append((number, turn, found))
        if turn % 50 == 0:
            store.prune()
    return wrong


def test_two_processes_at_once(store: Store) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        results = [pool.submit(hammer, store, number) for number in range(2)]
        assert [result.result() for result in results] == [[], []]
    assert list(store.folder.glob("??/.*.tmp")) == []
