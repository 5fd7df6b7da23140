"""``explain`` and ``grade`` on the command line: formats, exit codes, closest names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]


def test_a_loss_in_a_pipe_is_plain_text(cli: Cli) -> None:
    done = cli("explain", "log_cosh")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    assert "∂L/∂x = ∂/∂x[log(cosh(x" in done.out
    assert "24 of 24" in done.out
    assert "Source: torchmetrics#3490" in done.out
    assert max(len(line) for line in done.out.splitlines()) <= 120


def test_a_loss_as_json(cli: Cli) -> None:
    done = cli("explain", "log_cosh", "--format", "json")
    told = json.loads(done.out)
    assert done.code == 0
    assert told["derivations"][0]["result"]["text"] == "tanh(x - y)"
    assert told["guards"][0]["rule"] == "log-cosh"
    assert told["guards"][0]["measured"][0]["naive_bits"] == 24.0


def test_a_rule(cli: Cli) -> None:
    done = cli("explain", "log1mexp")
    assert (done.code, done.err) == (0, "")
    assert "log(1 - exp(x))" in done.out
    assert "Maechler" in done.out
    assert "bits lost" in done.out


def test_an_error_code(cli: Cli) -> None:
    done = cli("explain", "unknown-function")
    assert (done.code, done.err) == (0, "")
    assert "error[unknown-function]: unknown function 'lgo'" in done.out
    assert "How to mend it" in done.out


def test_an_unknown_name_has_close_ones(cli: Cli) -> None:
    done = cli("explain", "hubr")
    assert (done.code, done.out) == (2, "")
    assert "error[unknown-name]" in done.err
    assert "'huber'" in done.err


def test_right_wrong_and_unreadable(cli: Cli) -> None:
    right = cli("grade", "mse", "--answer", "2*x - 2*y")
    assert (right.code, right.out) == (0, "right (proved)\n")
    wrong = cli("grade", "mse", "--answer", "x - y")
    assert wrong.code == 1
    assert wrong.out.startswith("wrong\n  at x = ")
    assert "hint: " in wrong.out
    broken = cli("grade", "mse", "--answer", "x - z")
    assert broken.code == 2
    assert "answer:1:5: error[unknown-name]: unknown name 'z'" in broken.err


def test_nothing_of_an_answer_is_executed(cli: Cli, project: Path) -> None:
    text = "__import__('os').mkdir('there')"
    assert cli("grade", "mse", "--answer", text).code == 2
    assert not (project / "there").exists()


def test_by_another_variable(cli: Cli) -> None:
    done = cli("grade", "mse", "--answer", "2*(y - x)", "--wrt", "y")
    assert done.code == 0
    unknown = cli("grade", "mse", "--answer", "1", "--wrt", "z")
    assert unknown.code == 2
    assert "it is by x, y" in unknown.err


def test_a_class_in_toml_and_in_json_lines(cli: Cli, project: Path) -> None:
    (project / "class.toml").write_text('ada = "2*(x - y)"\nbob = "x - y"\n')
    done = cli("grade", "mse", "--answers", "class.toml", "--json")
    assert done.code == 1
    rows = {row["name"]: row for row in json.loads(done.out)["answers"]}
    assert rows["ada"]["verdict"] == "right"
    assert rows["bob"]["slip"] == "factor"
    lines = ['{"name": "cy", "answer": "2*(y - x)", "wrt": "y"}', '{"answer": "x -"}']
    (project / "class.jsonl").write_text("\n".join(lines))
    done = cli("grade", "mse", "--answers", "class.jsonl", "--json")
    assert done.code == 2
    rows = {row["name"]: row for row in json.loads(done.out)["answers"]}
    assert rows["cy"]["verdict"] == "right"
    assert rows["line 2"]["verdict"] == "unreadable"


def test_a_broken_file_of_answers_is_located(cli: Cli, project: Path) -> None:
    (project / "class.jsonl").write_text('{"answer": "x"}\nnot json\n')
    done = cli("grade", "mse", "--answers", "class.jsonl")
    assert done.code == 2
    assert "class.jsonl:2:1: error[wrong-type]" in done.err
