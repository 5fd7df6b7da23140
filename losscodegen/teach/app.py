"""The interactive page as a web application for the machine it runs on, and for no other.

It has four addresses: the page, its assets, the bundled specs by name, and answers to questions.
Everything that is asked is compiled and evaluated in another process (`losscodegen.teach.pool`).
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from losscodegen.resources import bundled_specs, specs_directory
from losscodegen.teach.bench import bench
from losscodegen.teach.html import ASSETS, FONT, style_sheet
from losscodegen.teach.pool import Busy, Worker
from losscodegen.teach.shared_link import question_of, token_of

LARGEST_BODY = 64_000
NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""What the machine calls itself. Another name in Host is a page elsewhere that was led here."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
        "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Local:
    """Turns away requests that do not come from a page of this server, and adds the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [h for h in message["headers"] if h[0].decode() not in HEADERS]
                added = [(k.encode(), v.encode()) for k, v in HEADERS.items()]
                message = {**message, "headers": [*kept, *added]}
            await send(message)

        refusal = _refusal(Request(scope))
        await (self.app if refusal is None else refusal)(scope, receive, add)


def _refusal(request: Request) -> Response | None:
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name.lower() not in NAMES or len(request.headers.getlist("host")) != 1:
        return PlainTextResponse("this server answers to its own machine only", 421)
    origin = request.headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return PlainTextResponse("this is not for other pages", 403)
    return None


@dataclass(frozen=True, slots=True)
class Bundled:
    """A bundled spec that can be picked."""

    name: str
    family: str
    text: str


@cache
def library() -> Mapping[str, Bundled]:
    """The bundled specs of one loss each, by name."""
    found: dict[str, Bundled] = {}
    for path in bundled_specs():
        text = path.read_text(encoding="utf-8")
        tables = [t for t in tomllib.loads(text).values() if isinstance(t, dict)]
        name = path.relative_to(specs_directory()).with_suffix("").as_posix()
        if len(tables) == 1:
            family = str(tables[0].get("family", ""))
            found[name] = Bundled(name=name, family=family, text=text)
    return found


@cache
def assets() -> Mapping[str, tuple[str, bytes]]:
    """The media type and the bytes of everything that the page loads."""
    style = style_sheet(font=FONT) + (ASSETS / "bench.css").read_text(encoding="utf-8")
    return {
        "style.css": ("text/css", style.encode()),
        "bench.js": ("text/javascript", (ASSETS / "bench.js").read_bytes()),
        "icon.svg": ("image/svg+xml", (ASSETS / "icon.svg").read_bytes()),
        FONT: ("font/woff2", (ASSETS / FONT).read_bytes()),
    }


FIRST = "log_cosh"
"""What the page shows when it is opened."""


def application(worker: Worker | None = None) -> Starlette:
    """The application; ``worker`` answers the questions, a new one if it is None."""
    asked = worker or Worker()

    async def page(request: Request) -> Response:
        question = _question(request.query_params)
        if question is None:
            return PlainTextResponse("there is no such loss", 404)
        try:
            answer = await asked.ask(question)
        except Busy:
            return PlainTextResponse("too many questions at once", 503)
        unasked = not {"q", "text"} & set(request.query_params)
        picked = request.query_params.get("loss", FIRST) if unasked else ""
        return HTMLResponse(bench(question, answer, library(), picked))

    async def answer(request: Request) -> Response:
        if (
            request.headers.get("content-type", "").partition(";")[0]
            != "application/json"
        ):
            return PlainTextResponse("questions are JSON", 415)
        body = await _body(request)
        if body is None:
            return PlainTextResponse(f"at most {LARGEST_BODY} bytes are read", 413)
        try:
            question: Any = json.loads(body)
        except (ValueError, RecursionError):
            return PlainTextResponse("this is no JSON", 400)
        if not isinstance(question, dict):
            return PlainTextResponse("a question is an object", 400)
        try:
            found = await asked.ask(question)
        except Busy:
            return PlainTextResponse("too many questions at once", 503)
        shared = {k: v for k, v in question.items() if k != "effort"}
        return JSONResponse({**found, "token": token_of(shared)})

    async def spec(request: Request) -> Response:
        found = library().get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("there is no such loss", 404)
        return PlainTextResponse(found.text)

    async def asset(request: Request) -> Response:
        found = assets().get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("there is no such file", 404)
        return Response(found[1], media_type=found[0])

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        starting = asyncio.create_task(_started(asked))
        yield
        starting.cancel()
        await asked.stop()

    return Starlette(
        routes=[
            Route("/", page, methods=["GET"]),
            Route("/answer", answer, methods=["POST"]),
            Route("/specs/{name:path}", spec, methods=["GET"]),
            Route("/assets/{name}", asset, methods=["GET"]),
        ],
        middleware=[Middleware(Local)],
        lifespan=lifespan,
    )


async def _started(worker: Worker) -> None:
    """The worker is warm before the first question comes."""
    async with worker.turn:
        await worker.start()


def _question(query: Mapping[str, str]) -> dict[str, Any] | None:
    """What an address asks: a token, a text, or a bundled loss by name."""
    if "q" in query:
        found = question_of(query["q"])
        return found if isinstance(found, dict) else {"spec": ""}
    if "text" in query:
        return {"spec": query["text"].replace("\r\n", "\n")}
    bundled = library().get(query.get("loss", FIRST))
    return None if bundled is None else {"spec": bundled.text}


async def _body(request: Request) -> bytes | None:
    """The body, unless it is too long: then the rest of it is not even read."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                return None
    except ClientDisconnect:
        return None
    return body
