"""One input, read under guard: what comes of it, and what must not."""

from __future__ import annotations

import os
import random
import re
import resource
import signal
import sys
import sysconfig
import tempfile
import traceback
import warnings
from pathlib import Path
from types import FrameType

from sdt.errors import InputError
from tests.fuzz import folders, pickles, tables, transcripts
from tests.shared import ROOT

KINDS = {"pickle": pickles, "table": tables, "transcript": transcripts, "folder": folders}
SECONDS = 5
"""Of processor time, for one input."""
MEGABYTES = 500
"""Of memory, that one input may add."""
_LONGEST = 1000
"""Characters of a message."""
_READ_FROM = tuple(
    str(Path(path).resolve()) for path in (sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"), ROOT)
)
_FORBIDDEN = (
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "os.putenv",
    "ctypes.dlopen",
)
_guarded: Path | None = None
_events: list[str] = []


class Hang(BaseException):
    """An input took too long."""


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: notes what no reader of a file may do."""
    if _guarded is None:
        return
    if event == "open" and isinstance(arguments[0], str | bytes):
        path, flags = os.path.realpath(os.fsdecode(arguments[0])), arguments[2]
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        inside = path.startswith((str(_guarded), "/dev/", "/proc/self/", "/sys/"))
        if not inside and (writes or not path.startswith(_READ_FROM)):
            _events.append(f"open {path}")
    elif event.startswith(_FORBIDDEN) or event in ("os.remove", "os.rename", "os.rmdir", "shutil.rmtree"):
        path = os.path.realpath(os.fsdecode(arguments[0])) if isinstance(arguments[0], str | bytes | Path) else ""
        if not path.startswith(str(_guarded)):
            _events.append(event)


def install() -> None:
    """Watch this process; cannot be undone."""
    sys.addaudithook(_watch)


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise Hang


def make(kind: str, seed: str, number: int) -> dict[str, bytes]:
    """The input with a number: file name to content."""
    made: dict[str, bytes] = KINDS[kind].make(random.Random(f"{seed}/{kind}/{number}"))
    return made


def attempt(kind: str, files: dict[str, bytes]) -> tuple[str, str]:
    """Read an input.

    Returns:
        `result` or `refused`, else the signature of what went wrong; and the message or traceback.
    """
    global _guarded
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside).resolve()
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        _events.clear()
        handler = signal.signal(signal.SIGPROF, _too_long)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        _guarded = folder
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                KINDS[kind].check(folder)
            outcome, detail = "result", ""
        except InputError as error:
            outcome, detail = "refused", str(error)
        except Hang:
            outcome, detail = _signature("hang", traceback.format_exc())
        except Exception:
            outcome, detail = _signature("error", traceback.format_exc())
        finally:
            _guarded = None
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, handler)
    if outcome == "refused" and ("\n" in detail or len(detail) > _LONGEST):
        what = "message of several lines" if "\n" in detail else "message too long"
        words = re.findall("[a-z]{2,}", detail.partition(f"{folder}/")[2][:200])
        return f"{what}: {' '.join(words[:8])[:60]}", detail[:3000]
    if _events:
        return f"forbidden: {_events[0]}"[:80], "\n".join(_events)
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > MEGABYTES * 1024:
        return "memory", detail
    return outcome, detail


def _signature(what: str, trace: str) -> tuple[str, str]:
    """Names the exception, and the innermost place in this program's own code."""
    lines = trace.splitlines()
    places = [line.split('"')[1:] for line in lines if line.startswith('  File "') and "/sdt/" in line]
    place = f" at {Path(places[-1][0]).name}{places[-1][1].split(' in ')[0]}" if places else ""
    name = next((line.split(":")[0] for line in reversed(lines) if line and not line.startswith(" ")), "")
    return (f"{what}{place}" if what == "hang" else f"{name}{place}"), trace


def minimise(kind: str, files: dict[str, bytes], outcome: str, tries: int = 400) -> dict[str, bytes]:
    """Fewer bytes with the same outcome: pieces are left out, the large ones first."""
    for name in files:
        step = max(1, len(files[name]) // 2)
        while step and tries:
            place = 0
            while place < len(files[name]) and tries:
                shorter = {**files, name: files[name][:place] + files[name][place + step :]}
                tries -= 1
                if attempt(kind, shorter)[0] == outcome:
                    files = shorter
                else:
                    place += step
            step //= 2
    return files
