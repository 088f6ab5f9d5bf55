"""JSON as RFC 8259 has it, on any bytes: what Python's own parser lets through is refused here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from steamlab.decoding.reasons import Rejected, show

__all__ = ["MAX_BYTES", "MAX_DEPTH", "parse"]

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32
# A pair of surrogates is one character; what is left of them, and NUL, no text may contain.
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_TOKEN = re.compile(
    r"[ \t\n\r]*+(?:"
    r'("(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")'
    r"|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)"
    r"|(true|false|null)|([{}\[\],:]))"
)
# What may come where: `item` and `name` begin a list and an object, which may be empty.
_ALLOWED = {"value": "sv[{", "item": "sv[{]", "name": "s}", "key": "s", "colon": ":", "next": ",]}"}


def parse(value: bytes) -> tuple[dict[str, Any], bool]:
    """Return the JSON object and whether a key stands in it twice; the last one wins.

    Raises `Rejected`: bad_encoding, not_json, too_large or too_deep, the first that applies.
    Depth is counted without recursion, so no depth does harm.
    """
    text = _text(value)
    depth = _depth(text)
    if len(value) > MAX_BYTES:
        raise Rejected("too_large", f"{len(value)} bytes, of {MAX_BYTES} allowed")
    if depth > MAX_DEPTH:
        raise Rejected("too_deep", f"nested {depth} deep, of {MAX_DEPTH} allowed")
    has_duplicates = False

    def to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_duplicates
        found = dict(pairs)
        has_duplicates |= len(found) < len(pairs)
        return found

    return json.loads(text, object_pairs_hook=to_dict), has_duplicates


def _text(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Rejected("bad_encoding", f"byte {error.start} is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise Rejected("bad_encoding", "begins with a byte order mark")
    if "\0" in text:
        raise Rejected("bad_encoding", f"a NUL at character {text.index(chr(0))}")
    for match in _ESCAPE.finditer(text) if "\\u" in text else ():
        if match[1]:
            raise Rejected("bad_encoding", f"{match[0]} at character {match.start()}")
    return text


def _depth(text: str) -> int:
    """Return how deep the one JSON object in the text is nested."""
    closers: list[str] = []
    state, deepest = "value", 0
    for kind, at in _tokens(text.rstrip(" \t\n\r")):
        if kind not in _ALLOWED[state]:
            raise Rejected("not_json", f"unexpected before character {at}")
        if kind in "{[":
            closers.append("}" if kind == "{" else "]")
            deepest = max(deepest, len(closers))
            state = "name" if kind == "{" else "item"
        elif kind in "}],":
            if not closers or kind not in (closers[-1], ","):
                raise Rejected("not_json", f"unexpected before character {at}")
            if kind == ",":
                state = "key" if closers[-1] == "}" else "value"
            else:
                closers.pop()
                state = "next"
        elif kind == ":":
            state = "value"
        else:
            state = "colon" if state in ("name", "key") else "next"
    if closers or state != "next":
        raise Rejected("not_json", "ends too early")
    if not text.lstrip(" \t\n\r").startswith("{"):
        raise Rejected("not_json", "not an object")
    return deepest


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield (kind, where it ends): `s` a string, `v` another scalar, else the character."""
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Rejected("not_json", f"unexpected at character {position}")
        if match[2] and math.isinf(float(match[2])):
            raise Rejected("not_json", f"{show(match[2])} is beyond all numbers")
        position = match.end()
        yield match[4] or ("s" if match[1] else "v"), position
