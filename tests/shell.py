"""A reader's shell: it runs blocks of the documentation, and the tests are its program `sdt`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pytest

NEEDS_BASH = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
Program = Callable[[list[str]], int]
"""Takes the words after `sdt`, and returns the exit code."""
BEGIN = """
set -eo pipefail
sdt() { printf '%s\\0' "$PWD" "$@" $'\\n' >&3; read -r code <&4; return "$code"; }
"""
END = "\nprintf '%s\\0' $'\\n' >&3\n"


class Shell:
    """A bash that keeps its variables and its folder from block to block. Loops over seeds run for the first one.

    Args:
        program: What `sdt` does.
        others: Other programs, which do nothing here; one that is not named is not found unless it is installed.
    """

    def __init__(self, program: Program, others: tuple[str, ...] = ()) -> None:
        self._program = program
        calls, tell = os.pipe()
        hear, answers = os.pipe()
        self._bash = subprocess.Popen(
            ["bash", "-c", f"exec 3>&{tell} 4<&{hear}; exec bash --noprofile --norc -s"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(tell, hear),
            text=True,
        )
        for unused in (tell, hear):
            os.close(unused)
        self._calls, self._answers = os.fdopen(calls, "rb", buffering=0), os.fdopen(answers, "w")
        self._send(BEGIN + "".join(f"{name}() {{ :; }}\n" for name in others))

    def run(self, code: str) -> None:
        """Run a block; a program that fails ends it.

        Raises:
            RuntimeError: A program has failed.
        """
        self._send(re.sub(r"\bfor seed in (\S+)[^;\n]*", r"for seed in \1", code) + END)
        while call := self._call():
            folder, *words = call
            with contextlib.chdir(folder):
                self._answers.write(f"{self._program(words)}\n")
            self._answers.flush()

    def _send(self, code: str) -> None:
        assert self._bash.stdin
        self._bash.stdin.write(code)
        self._bash.stdin.flush()

    def _call(self) -> list[str]:
        """Folder and words of the next call; none at the end of the block."""
        read = b""
        while not re.search(rb"(^|\0)\n\0$", read):
            if not (piece := self._calls.read(1 << 16)):
                assert self._bash.stderr
                raise RuntimeError(self._bash.stderr.read())
            read += piece
        return read.decode().split("\0")[:-2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._bash.stdin
        assert self._bash.stderr
        self._answers.close()
        with contextlib.suppress(BrokenPipeError):
            self._bash.stdin.close()
        self._bash.wait()
        self._bash.stderr.close()
        self._calls.close()
