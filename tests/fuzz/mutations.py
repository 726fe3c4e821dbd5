"""Changes to valid inputs that readers do not expect; every choice is made by a seeded generator."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

NUMBERS: list[Any] = [
    *(0, -1, 1, 2, 3, 7, 255, 2**31 - 1, 2**31, 2**53, 2**63, 2**64, 10**9, 10**12, -(10**9), 10**30, 10**5000),
    *(0.5, -0.0, 1e308, 1e-308, float("nan"), float("inf"), float("-inf")),
]
TEXTS = [
    "",
    " ",
    "a",
    "\x00",
    "\x1b[31m",
    "\n",
    "\u202e",
    "\ud800",
    "é",
    "😀",
    "../../x",
    "/etc/passwd",
    "a" * 5000,
    "1e999",
]
VALUES: list[Any] = [*NUMBERS, *TEXTS, None, True, False, [], {}, [[]], [1] * 50, {"a": {"b": 1}}]


def mutate_bytes(draw: random.Random, data: bytes, pieces: Sequence[bytes] = ()) -> bytes:
    """Change a few places of some bytes; `pieces` are what means something in their format."""
    content = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 5, 10))):
        place = draw.randint(0, len(content))
        end = min(len(content), place + draw.choice((1, 1, 2, 4, 8, 40, 400)))
        match draw.randrange(9):
            case 0 if content:
                content[place % len(content)] = draw.randrange(256)
            case 1 if content:
                content[place % len(content)] ^= 1 << draw.randrange(8)
            case 2:
                content[place:place] = draw.randbytes(draw.randint(1, 6))
            case 3:
                del content[place:end]
            case 4:
                content[place:place] = bytes(content[place:end]) * draw.choice((1, 1, 2, 50))
            case 5 if draw.random() < 0.2:
                del content[place:]
            case 6 if draw.random() < 0.5:
                other = draw.randint(0, len(content))
                content[place:end] = content[other : other + end - place]
            case _ if pieces:
                piece = draw.choice(pieces)
                content[place : place + draw.choice((0, 0, 1, len(piece)))] = piece
    return bytes(content)


def mutate_lines(draw: random.Random, text: str, pieces: Sequence[str]) -> str:
    """Change lines, words and characters of a text."""
    lines = text.splitlines(keepends=True) or [""]
    for _ in range(draw.choice((1, 1, 2, 3, 6))):
        line = draw.randrange(len(lines))
        match draw.randrange(8):
            case 0 if len(lines) > 1:
                del lines[line]
            case 1:
                lines.insert(line, draw.choice(lines) * draw.choice((1, 1, 1, 200)))
            case 2:
                other = draw.randrange(len(lines))
                lines[line], lines[other] = lines[other], lines[line]
            case 3:
                lines[line] = lines[line].rstrip("\r\n") + draw.choice(
                    ("", "\r", "\r\n", "\x85", "\u2028", "\x0c", "\n\n")
                )
            case _:
                words = lines[line].split(" ")
                words[draw.randrange(len(words))] = draw.choice(pieces) if draw.random() < 0.8 else draw.choice(TEXTS)
                lines[line] = draw.choice((" ", " ", " ", "", ",", "\t")).join(words)
    return "".join(lines)


def mutate_json(draw: random.Random, value: Any) -> Any:
    """Replace, remove, add or wrap something at any depth."""
    if isinstance(value, dict | list) and value and draw.random() < 0.85:
        key: Any = draw.choice(list(value)) if isinstance(value, dict) else draw.randrange(len(value))
        copy: Any = dict(value) if isinstance(value, dict) else list(value)
        match draw.randrange(8):
            case 0:
                del copy[key]
            case 1 if isinstance(copy, dict):
                copy[draw.choice(TEXTS)] = copy[key] if draw.random() < 0.5 else draw.choice(VALUES)
            case 2 if isinstance(copy, list):
                copy += copy * draw.choice((1, 1, 100))
            case _:
                copy[key] = mutate_json(draw, copy[key])
        return copy
    if isinstance(value, int | float) and not isinstance(value, bool) and draw.random() < 0.6:
        return draw.choice(NUMBERS)
    return draw.choice(VALUES)


def json_bytes(draw: random.Random, value: Any) -> bytes:
    """JSON, sometimes nested far too deep."""
    text = json.dumps(_writable(value))
    if draw.random() < 0.02:
        depth = draw.choice((100, 2_000, 100_000))
        text = text.replace(":", ":" + "[" * depth + "]" * depth + ",", 1) if draw.random() < 0.5 else "[" * depth
    return text.encode()


def _writable(value: Any) -> Any:
    """Python does not write integers of thousands of digits."""
    if isinstance(value, dict):
        return {key: _writable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_writable(item) for item in value]
    return 10**4000 if isinstance(value, int) and value > 10**4000 else value
