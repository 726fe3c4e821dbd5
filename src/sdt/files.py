"""Atomic writes of files and folders: they are written under a temporary name and then renamed.

The temporary name is `.NAME.HOST-PID-xxxxxxxx.partial`. A killed process leaves it behind; the next process that writes
to the same folder on the same machine removes it.
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
"""The suffix of a folder that is being replaced."""
_HOST = re.sub(r"\W", "_", platform.node())
_TEMPORARY = re.compile(rf"\.(?P<name>.+)\.{_HOST}-(?P<process>\d+)-\w+(?P<kind>{PARTIAL}|{OLD})", re.DOTALL)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`, which is renamed to `path` if the block succeeds, and deleted if not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent.resolve())
    handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=PARTIAL, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        # Without the fsync a power cut after the rename could leave an empty file under the final name.
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _name_path(error, path, temporary)
        raise


def check_writable(path: Path) -> None:
    """Check before long work that a file or folder can be written, including its parent folders.

    Raises:
        InputError: It cannot be written.
    """
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    if not nearest.is_dir():
        raise InputError(f"{path}: cannot be written, since {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written, since {nearest} is not writable")


def resolve_beside(path: Path, name: str) -> Path:
    r"""Resolve a file name in a file relative to the folder of this file; backslashes separate folders, too.

    Example:
        >>> resolve_beside(Path("corpus/table.csv"), r"clips\a.mp3").as_posix()
        'corpus/clips/a.mp3'
    """
    return path.parent / PureWindowsPath(name).as_posix()


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8 to a file, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def atomic_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder next to `path`, which is renamed to `path` if the block succeeds, and deleted if not.

    Raises:
        InputError: `path` exists and `overwrite` is false, or is a file.
    """
    if path.parent.is_dir():
        _remove_leftovers(path.parent.resolve())  # this can restore `path`
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; name a folder")
    if path.exists() and any(path.iterdir()) and not overwrite:
        raise InputError(f"{path}: exists already; give another folder, or --overwrite to replace it")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=PARTIAL, dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=OLD, dir=path.parent))
            path.replace(old)
            temporary.replace(path)
            shutil.rmtree(old)
        else:
            temporary.replace(path)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _name_path(error, path, temporary)
        raise


def check_folder(folder: Path, is_result: Callable[[str], bool], what: str, *, overwrite: bool) -> None:
    """Check before the work that the results of a command can be written to a folder.

    Args:
        folder: The folder of the results.
        is_result: Whether a file name belongs to earlier results.
        what: The kind of results, such as `an evaluation`, for error messages.
        overwrite: Whether earlier results can be replaced.

    Raises:
        InputError: The folder is a file, contains results while `overwrite` is false, or contains other files.
    """
    if not folder.is_dir():
        if folder.exists():
            raise InputError(f"{folder}: is a file; name a folder for {what}")
        return
    inside = [path.name for path in folder.iterdir() if not _TEMPORARY.fullmatch(path.name)]
    if inside and not overwrite:
        raise InputError(f"{folder}: exists already; give another folder, or --overwrite to replace it")
    others = sorted(name for name in inside if not is_result(name))
    if others:
        raise InputError(f"{folder}: contains {others[0]!r}, which is not part of {what}; give another folder")


def max_expanded_bytes(size: int) -> int:
    """The limit of memory for the content of an untrusted file.

    Formats with compression or shared values can expand a few bytes to gigabytes. Real files stay below this limit:
    short lists in a pickle take about 60 times their size, long arrays 10 times.

    Args:
        size: The size of the file in bytes.

    Returns:
        The limit in bytes.
    """
    return 64 * 2**20 + 100 * size


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name_path(error: BaseException, path: Path, temporary: Path) -> None:
    """Replace the temporary path by the final one in an error of the system, such as a full disk."""
    if isinstance(error, OSError) and error.strerror and str(error.filename or temporary).startswith(str(temporary)):
        error.filename = str(path)


def _prefix(path: Path) -> str:
    return f".{path.name}.{_HOST}-{os.getpid()}-"


@functools.cache  # once per folder, which can receive thousands of files
def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes of this machine left in a folder.

    If a process was killed between the two renames of a replacement, the old folder gets its name back.
    """
    for left in folder.iterdir():
        found = _TEMPORARY.fullmatch(left.name)
        if not found or _is_running(int(found["process"])):
            continue
        if found["kind"] == OLD and not (folder / found["name"]).exists() and any(left.iterdir()):
            left.replace(folder / found["name"])
        elif left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # there, signal 0 ends the process
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to another user
        return True
    return True


def _umask() -> int:
    # mkstemp and mkdtemp make private files, whatever the umask is. The umask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
