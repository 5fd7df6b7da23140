"""The interactive page as a client sees it, friendly or hostile. Nothing here needs a browser."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import html5lib
import pytest
from starlette.testclient import TestClient

from losscodegen.cli.main import run
from losscodegen.teach.app import FIRST, HEADERS, LARGEST_BODY, application, library
from losscodegen.teach.pool import Worker
from losscodegen.teach.shared_link import question_of, token_of
from losscodegen.teach.workbench import MOST_SPEC

HOST = "http://127.0.0.1:8765"
SOFTPLUS = '[Softplus]\ninputs.x = "real[...]"\nloss = "log(1 + exp(x))"\n'


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(application(Worker(seconds=6)), base_url=HOST) as made:
        yield made


def ask(client: TestClient, spec: str, **more: Any) -> dict[str, Any]:
    response = client.post("/answer", json={"spec": spec, **more})
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


# ------------------------------------------------------------------------------------ friendly


def test_the_page_has_its_first_answer_without_a_script(client: TestClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    parser = html5lib.HTMLParser(strict=True)
    parser.parse(response.text)
    assert "LogCoshLoss" in response.text
    assert "<math" in response.text
    assert "F.softplus" in response.text or "log_cosh_loss" in response.text
    assert "style=" not in response.text  # the policy would refuse it
    for name, value in HEADERS.items():
        assert response.headers[name] == value


def test_a_question_is_answered_in_pieces(client: TestClient) -> None:
    found = ask(client, SOFTPLUS, fields={"x": "20"})
    assert found["problems"] == []
    assert found["title"] == "Softplus"
    assert "F.softplus" in found["texts"]["python"]
    assert found["texts"]["latex"] == r"\ell(x) = \log(1 + e^{x})"
    assert (
        "<code>20.0</code>" in found["pieces"]["graph"]
        or "x = 20.0" in found["pieces"]["graph"]
    )
    assert {"shape", "digits", "graph", "code", "mathematics", "guards"} <= set(
        found["pieces"]
    )


BENT = '[Bent]\ninputs.x = "real[...]"\nloss = "log(cosh(x)) - x**2/2"\n'
"""Its symbolic gradient has more digits."""
BCE = """[Bce]
inputs.x = "real[...]"
inputs.y = "unit[...]"
loss = "-(y*log(sigmoid(7.3*x)) + (1 - y)*log(1 - sigmoid(7.3*x)))"
"""
"""Its symbolic gradient is tried, and no better."""


def test_what_takes_long_is_answered_later(client: TestClient) -> None:
    first = ask(client, BENT, effort="hurried")
    assert first["open"]
    assert "autograd.Function" not in first["texts"]["python"]
    rest = ask(client, BENT, effort="rest")
    assert not rest["open"]
    assert "autograd.Function" in rest["texts"]["python"]
    whole = ask(client, BENT)
    assert whole == rest
    # Once it is known, nobody has to ask for it twice.
    assert ask(client, BENT, effort="hurried") == whole
    assert question_of(whole["token"]) == {"spec": BENT}


def test_where_nothing_changes_there_is_no_more_to_say(client: TestClient) -> None:
    first = ask(client, BCE, effort="hurried")
    assert first["open"]
    rest = ask(client, BCE, effort="rest")
    assert set(rest) == {"problems", "token"}
    assert ask(client, BCE) == {**first, "open": False}
    assert not ask(client, SOFTPLUS, effort="hurried")["open"]


def test_a_second_derivative_is_drawn_that_torch_has_to_import(
    client: TestClient,
) -> None:
    """Nothing can be imported once the process is shut in, and autograd does so by itself."""
    spec = (
        '[Mine]\ninputs.x = "real[...]"\ninputs.y = "real[...]"\n'
        'params.k = "positive = 1.0"\nloss = "k*log(cosh(x - y))"\n'
    )
    shape = ask(client, spec)["pieces"]["shape"]
    assert len(re.findall(r'<path class="line[^>]* d="M', shape)) == 3, shape
    assert ">, at" not in shape


def test_fields_move_the_point_and_the_parameters(client: TestClient) -> None:
    spec = library()["huber"].text
    near = ask(client, spec, fields={"x": "0.25", "y": "0", "delta": "1"})
    far = ask(client, spec, fields={"x": "3", "y": "0", "delta": "2"})
    assert "0.03125" in near["pieces"]["graph"]
    assert "<code>4.0</code>" in far["pieces"]["graph"]  # 2*(3 - 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"delta": "-1"}, "delta must lie in"),
        ({"x": "abc"}, "x must be a number, got 'abc'"),
        ({"x": "1, 2"}, "x has 1 entries, got 2"),
        ({"x": "NaN"}, "x must be a number"),
        ({"x": "1e999"}, "x must lie in"),
        ({"x": "__import__('os').getpid()"}, "x must be a number"),
    ],
)
def test_wrong_fields_are_named_and_the_formula_stays(
    client: TestClient, fields: dict[str, str], message: str
) -> None:
    found = ask(client, library()["huber"].text, fields=fields)
    assert message in found["problems"][0]["message"]
    assert "<math" in found["pieces"]["mathematics"]
    assert "graph" not in found["pieces"]


def test_an_error_has_its_place_and_a_caret(client: TestClient) -> None:
    found = ask(client, SOFTPLUS.replace("log(1", "lgo(1"))
    (problem,) = found["problems"]
    assert (problem["line"], problem["column"], problem["end_column"]) == (3, 9, 12)
    line, caret = problem["excerpt"].split("\n")
    assert line[caret.index("^") : caret.rindex("^") + 1] == "lgo"
    assert problem["hint"] == "did you mean 'log'?"
    assert "pieces" not in found


def test_every_bundled_loss_can_be_picked(client: TestClient) -> None:
    assert FIRST in library()
    assert len(library()) > 200
    for name in (FIRST, "torch_nn/huber_loss"):
        assert client.get(f"/specs/{name}").text == library()[name].text
        assert client.get("/", params={"loss": name}).status_code == 200


def test_a_link_holds_the_whole_question(client: TestClient) -> None:
    question = {
        "spec": SOFTPLUS,
        "fields": {"x": "-3"},
        "along": "x:0",
        "dtype": "float64",
    }
    token = client.post("/answer", json=question).json()["token"]
    assert question_of(token) == question
    page = client.get("/", params={"q": token})
    assert "Softplus" in page.text
    assert "x = -3.0" in page.text
    assert 'value="-3"' in page.text


# ------------------------------------------------------------------------------------- hostile

BOMB = base64.urlsafe_b64encode(zlib.compress(b" " * 10_000_000)).decode().rstrip("=")


def spec_of(loss: str, **more: str) -> str:
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
    return f'[Some]\ninputs.x = "real[...]"\nloss = {json.dumps(loss)}\n{lines}'


SPECS = {
    "import": spec_of("__import__('os').system('touch CANARY')"),
    "eval": spec_of("eval('1')"),
    "open": spec_of("open('CANARY', 'w')"),
    "attribute": spec_of("x.__class__.__bases__"),
    "lambda": spec_of("(lambda: x)()"),
    "subscript": spec_of("x[0].__globals__"),
    "format": spec_of("'{0.__class__}'.format(x)"),
    "walrus": spec_of("(y := x)"),
    "class name": '["Some(object): pass #"]\ninputs.x = "real[...]"\nloss = "x"\n',
    "class name code": '["A\\nimport os"]\ninputs.x = "real[...]"\nloss = "x"\n',
    "symbol": '[Some]\ninputs."x); import os" = "real[...]"\nloss = "1"\n',
    "argument": '[Some]\ninputs.x = { type = "real[...]", arg = "x, *a" }\nloss = "x"\n',
    "docstring": spec_of("x", summary='""" ; import os; os.system("touch CANARY") ; """'),
    "markup": spec_of("x", summary="<script>alert(1)</script><img src=x onerror=alert(1)>"),
    "tower": spec_of("9**9**9**9"),
    "power": spec_of("x**(10**10**10)"),
    "digits": spec_of("1" * 15_000),
    "exponent": spec_of("1e999999999*x"),
    "factorial": spec_of("gamma(10**9)*x"),
    "nesting": spec_of("(" * 4_000 + "x" + ")" * 4_000),
    "functions": spec_of("sin(" * 2_000 + "x" + ")" * 2_000),
    "signs": spec_of("-" * 8_000 + "x"),
    "terms": spec_of(" + ".join(["x"] * 4_000)),
    "doubling": spec_of("a30", let="\n".join(["a0 = x"] + [f"a{k} = a{k - 1}*a{k - 1}" for k in range(1, 31)])),
    "brackets": "[" * 5_000,
    "keys": ".".join(["a"] * 4_000) + " = 1",
    "null": "[Some]\x00\ninputs.x = 'real'\n",
    "surrogates": '[Some]\ninputs.x = "real[...]"\nloss = "\\ud800"\n',
    "long": "#" * (MOST_SPEC + 1),
    "axes": '[Some]\ninputs.x = "real[100000, 100000]"\nloss = "Sum(x[i, j], i, j)"\n',
}  # fmt: skip


def alive(client: TestClient) -> None:
    assert ask(client, SOFTPLUS)["title"] == "Softplus"


@pytest.mark.parametrize("name", SPECS)
def test_a_hostile_spec_is_refused_or_harmless(
    client: TestClient, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.monotonic()
    found = ask(client, SPECS[name])
    assert time.monotonic() - start < 30
    harmless = {"docstring", "markup", "terms", "signs", "factorial"}
    assert found["problems"] or name in harmless
    told = json.dumps({k: v for k, v in found.items() if k not in ("texts", "token")})
    for leak in ("Traceback", "site-packages", str(Path(__file__).parents[2]), "root:"):
        assert leak not in told
    assert "<script" not in told
    assert "<img" not in told
    assert not Path("CANARY").exists()
    alive(client)


REQUESTS: dict[str, tuple[str, str, dict[str, Any], tuple[int, ...]]] = {
    "parent": ("GET", "/assets/../app.py", {}, (404,)),
    "encoded parent": ("GET", "/assets/%2e%2e%2fapp.py", {}, (404,)),
    "encoded slash": ("GET", "/assets/..%2f..%2fpyproject.toml", {}, (404,)),
    "password file": ("GET", "/specs/../../../../etc/passwd", {}, (404,)),
    "absolute": ("GET", "/specs//etc/passwd", {}, (404,)),
    "null in path": ("GET", "/assets/style.css%00.js", {}, (404,)),
    "name in query": ("GET", "/?loss=../../pyproject", {}, (404,)),
    "bomb": ("GET", f"/?q={BOMB}", {}, (200,)),
    "no token": ("GET", "/?q=%F0%9F%92%A3", {}, (200,)),
    "giant body": ("POST", "/answer", {"content": b'{"spec": "' + b"x" * 5_000_000 + b'"}'}, (413,)),
    "no json": ("POST", "/answer", {"content": b"{"}, (400,)),
    "nested json": ("POST", "/answer", {"content": b"[" * 60_000}, (400,)),
    "no object": ("POST", "/answer", {"content": b"[1]"}, (400,)),
    "bytes": ("POST", "/answer", {"content": b"\xff\xfe"}, (400,)),
    "no spec": ("POST", "/answer", {"json": {}}, (200,)),
    "spec of another type": ("POST", "/answer", {"json": {"spec": {"a": 1}}}, (200,)),
    "fields of another type": ("POST", "/answer", {"json": {"spec": SOFTPLUS, "fields": [1]}}, (200,)),
    "unknown precision": ("POST", "/answer", {"json": {"spec": SOFTPLUS, "dtype": "int8"}}, (200,)),
    "unknown effort": ("POST", "/answer", {"json": {"spec": SOFTPLUS, "effort": "none"}}, (200,)),
    "unknown direction": ("POST", "/answer", {"json": {"spec": SOFTPLUS, "along": "x:99999999999"}}, (200,)),
    "form": ("POST", "/answer", {"data": {"spec": "x"}}, (415,)),
    "method": ("PUT", "/answer", {"json": {}}, (405,)),
    "post to page": ("POST", "/", {"json": {}}, (405,)),
    "other host": ("GET", "/", {"headers": {"host": "evil.example"}}, (421,)),
    "rebound host": ("POST", "/answer", {"json": {"spec": SOFTPLUS}, "headers": {"host": "evil.example:8765"}}, (421,)),
    "host like ours": ("GET", "/", {"headers": {"host": "127.0.0.1.evil.example:8765"}}, (421,)),
    "other origin": ("POST", "/answer", {"json": {"spec": SOFTPLUS}, "headers": {"origin": "http://evil.example"}}, (403,)),
    "null origin": ("POST", "/answer", {"json": {"spec": SOFTPLUS}, "headers": {"origin": "null"}}, (403,)),
    "other port": ("POST", "/answer", {"json": {"spec": SOFTPLUS}, "headers": {"origin": "http://127.0.0.1:1"}}, (403,)),
    "no such page": ("GET", "/admin", {}, (404,)),
    "docs": ("GET", "/openapi.json", {}, (404,)),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_a_hostile_request_is_turned_away(client: TestClient, name: str) -> None:
    method, path, extra, statuses = REQUESTS[name]
    if "content" in extra:
        extra = {**extra, "headers": {"content-type": "application/json"}}
    response = client.request(method, path, **extra)
    assert response.status_code in statuses
    for leak in ("Traceback", "site-packages", str(Path(__file__).parents[2]), "root:"):
        assert leak not in response.text
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    alive(client)


def test_links_longer_than_an_address_are_not_made() -> None:
    noise = os.urandom(20_000).hex()
    assert token_of({"spec": noise}) == ""
    assert question_of("A" * 20_000) is None


def test_the_largest_question_fits() -> None:
    assert len(json.dumps({"spec": "\n" * MOST_SPEC})) < LARGEST_BODY


# -------------------------------------------------------------------------------------- worker


def test_a_worker_that_hangs_or_dies_is_replaced() -> None:
    import asyncio

    async def lives() -> None:
        worker = Worker(seconds=4)
        await worker.start()
        assert worker.process is not None
        first = worker.process.pid
        worker.seconds = 0.001
        slow = await worker.ask({"spec": library()["cross_entropy"].text})
        assert slow["problems"][0]["code"] == "timeout"
        worker.seconds = 20
        assert (await worker.ask({"spec": SOFTPLUS}))["title"] == "Softplus"
        assert worker.process is not None
        assert worker.process.pid != first
        worker.process.kill()
        await asyncio.sleep(0)
        dead = await worker.ask({"spec": SOFTPLUS})
        assert dead["problems"][0]["code"] == "crash"
        await worker.stop()

    asyncio.run(lives())


def test_without_its_libraries_serve_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run(["serve"]) == 2
    said = capsys.readouterr().err
    assert "serve needs uvicorn, which is not installed" in said
    assert "pip install 'losscodegen[teach]'" in said


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["serve", "--port", str(port)]) == 2
    assert f"cannot listen on port {port}" in capsys.readouterr().err
