"""A question of the interactive page as a piece of an address, and back."""

from __future__ import annotations

import base64
import json
import zlib

LONGEST_TOKEN = 12_000
"""Characters; browsers and servers take addresses of about that."""
LARGEST = 64_000
"""Bytes that a token may unfold to."""


def token_of(question: object) -> str:
    """A question as letters, digits, ``-`` and ``_``; empty if it is too long for an address."""
    data = json.dumps(question, sort_keys=True, separators=(",", ":")).encode()
    packed = zlib.compress(data, 9)
    token = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    return token if len(token) <= LONGEST_TOKEN and len(data) <= LARGEST else ""


def question_of(token: str) -> object | None:
    """The question that a token stands for; None if it is none."""
    if len(token) > LONGEST_TOKEN:
        return None
    try:
        packed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, LARGEST)
        if not unpacker.eof or unpacker.unconsumed_tail:
            return None
        question: object = json.loads(data)
    except (ValueError, zlib.error, RecursionError):
        return None
    return question
