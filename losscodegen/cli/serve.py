"""``losscodegen serve``: the interactive page, for this machine alone."""

from __future__ import annotations

import click

from losscodegen.cli.output import say
from losscodegen.cli.settings import CLEAN, common
from losscodegen.errors import fail

HOST = "127.0.0.1"


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="0 takes one that is free.",
)
@common
def serve(port: int) -> int:
    """Type a loss and see its mathematics, its plots, its graph and its code.

    The page is served to this machine alone and needs no network. It needs the extra teach:
    pip install 'losscodegen[teach]'.
    """
    try:
        import uvicorn

        from losscodegen.teach.app import application
    except ImportError as error:
        message = f"serve needs {error.name}, which is not installed"
        hint = "pip install 'losscodegen[teach]'"
        raise fail("missing-extra", message, hint=hint) from error
    import socket

    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"cannot listen on port {port}: {reason}"
        raise fail("cannot-listen", message, hint="--port takes another") from error
    say(f"http://{HOST}:{listener.getsockname()[1]}/ (Ctrl+C ends it)")
    config = uvicorn.Config(
        application(),
        log_level="warning",
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=32_768,
        limit_concurrency=64,
        timeout_keep_alive=30,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return CLEAN
