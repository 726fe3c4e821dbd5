"""Files and folders that are written whole or not at all: written aside, then renamed.

What is written aside is called `.NAME.HOST-PID-xxxxxxxx.partial`. A process that is killed leaves it behind; the next
process that writes to the same folder on the same machine removes it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath

from sdt.errors import InputError

PARTIAL = ".partial"
OLD = ".old"
"""A folder that is being replaced."""
_HOST = re.sub(r"\W", "_", platform.node())
_ASIDE = re.compile(rf"\.(?P<name>.+)\.{_HOST}-(?P<process>\d+)-\w+(?P<kind>{PARTIAL}|{OLD})", re.DOTALL)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well, delete it when not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent.resolve())
    handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=PARTIAL, dir=path.parent)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        aside.chmod(0o666 & ~_umask())
        # Without the fsync a power cut after the rename could leave an empty file under the final name.
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException as error:
        aside.unlink(missing_ok=True)
        _name(error, path, aside)
        raise


def check_writable(path: Path) -> None:
    """Find out before long work whether a file or folder could be written in the end, with the folders it lies in.

    Raises:
        InputError: It could not.
    """
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    if not nearest.is_dir():
        raise InputError(f"{path}: cannot be written, since {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written, since nothing may be written to {nearest}")


def resolve_beside(path: Path, name: str) -> Path:
    r"""The file that another file names, from its own folder; a backslash separates folders, as Windows writes it.

    Example:
        >>> beside(Path("talks/table.csv"), r"clips\a.mp3").as_posix()
        'talks/clips/a.mp3'
    """
    return path.parent / PureWindowsPath(name).as_posix()


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with atomic_file(path) as aside:
        aside.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def atomic_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside `path`; rename it to `path` when the block ends well, delete it when not.

    Raises:
        InputError: `path` exists and `overwrite` is false, or is a file.
    """
    if path.parent.is_dir():
        _remove_leftovers(path.parent.resolve())  # first, since it may bring `path` back
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; name a folder")
    if path.exists() and any(path.iterdir()) and not overwrite:
        raise InputError(f"{path}: exists already; give another folder, or --overwrite to replace it")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=PARTIAL, dir=path.parent))
    try:
        yield aside
        aside.chmod(0o777 & ~_umask())
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=OLD, dir=path.parent))
            path.replace(old)
            aside.replace(path)
            shutil.rmtree(old)
        else:
            aside.replace(path)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        _name(error, path, aside)
        raise


def check_folder(folder: Path, mine: Callable[[str], bool], what: str, *, overwrite: bool) -> None:
    """Refuse a folder that a command's results cannot go to, before the work rather than after it.

    Args:
        folder: Where the results shall be.
        mine: Whether a file of this name is part of earlier results.
        what: What the results are, `an evaluation`.
        overwrite: Whether earlier results may be replaced.

    Raises:
        InputError: It is a file; or holds results and `overwrite` is false; or holds anything else.
    """
    if not folder.is_dir():
        if folder.exists():
            raise InputError(f"{folder}: is a file; name a folder for {what}")
        return
    inside = [path.name for path in folder.iterdir() if not _ASIDE.fullmatch(path.name)]
    if inside and not overwrite:
        raise InputError(f"{folder}: exists already; give another folder, or --overwrite to replace it")
    others = sorted(name for name in inside if not mine(name))
    if others:
        raise InputError(f"{folder}: holds {others[0]!r}, which is no part of {what}; give another folder")


def most_expanded(size: int) -> int:
    """How many bytes of memory the content of a stranger's file may come to.

    Formats that compress, or that refer to one value many times, can make gigabytes of a few bytes. Real files stay
    below this bound: short lists in a pickle come to some 60 times their size, long arrays to 10 times.

    Args:
        size: The file's, in bytes.
    """
    return 64 * 2**20 + 100 * size


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name(error: BaseException, path: Path, aside: Path) -> None:
    """Let an error of the system (a full disk) name what could not be written, not what was written aside."""
    if isinstance(error, OSError) and error.strerror and str(error.filename or aside).startswith(str(aside)):
        error.filename = str(path)


def _prefix(path: Path) -> str:
    return f".{path.name}.{_HOST}-{os.getpid()}-"


@functools.cache  # once for a folder: thousands of files may be written to one
def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes of this machine left in a folder.

    A folder whose replacement was killed between its two renames gets its name back.
    """
    for left in folder.iterdir():
        found = _ASIDE.fullmatch(left.name)
        if not found or _runs(int(found["process"])):
            continue
        if found["kind"] == OLD and not (folder / found["name"]).exists() and any(left.iterdir()):
            left.replace(folder / found["name"])
        elif left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    if os.name == "nt":  # signal 0 would end it there
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it runs, for another user
        return True
    return True


def _umask() -> int:
    # mkstemp and mkdtemp make private files; the user expects what their umask says. It can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
