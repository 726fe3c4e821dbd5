"""Options that several commands share, and the objects that they describe."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.cluster.work import Cluster
    from sdt.evaluation.bootstrap import Resampling
    from sdt.windows import Windows


def positive_int(text: str) -> int:
    """The type of an option that counts something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def add_code_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--code`; see `import_code`."""
    parser.add_argument(
        "--code",
        action="append",
        default=[],
        metavar="FILE.py:CLASS",
        help="the code of a custom model, or MODULE:CLASS; code is run only if it is named here",
    )


def import_code(options: argparse.Namespace) -> None:
    """Import the code that `--code` names, so that its models can be loaded."""
    if options.code:
        from sdt.models.registry import find

        for reference in options.code:
            find(reference)


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--model`, with the default of predictions."""
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a model folder, a run folder, a bundled model, or a hub id; default: english-text-audio-small",
    )


def add_device_option(parser: argparse.ArgumentParser, purpose: str = "") -> None:
    """Declare `--device`; `purpose` precedes the default in its help."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help=f"{purpose}default: auto")


def add_engine_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--engine`."""
    parser.add_argument(
        "--engine",
        choices=("auto", "onnxruntime", "torch"),
        default="auto",
        help="what runs the model: onnxruntime (a model with ONNX graphs, on the processor) or torch (any model); "
        "default: auto, onnxruntime where possible, and torch with --device cuda",
    )


def add_encoding_option(parser: argparse.ArgumentParser, files: str = "transcripts") -> None:
    """Declare `--encoding`."""
    parser.add_argument(
        "--encoding",
        type=_encoding,
        metavar="NAME",
        help=f"the character encoding of {files}, such as gb18030; default: detected",
    )


def add_format_option(parser: argparse.ArgumentParser, purpose: str, *, predictions: bool = False) -> None:
    """Declare `--format`, the name of a format that can be written.

    Args:
        parser: The parser.
        purpose: The help.
        predictions: Whether the format must hold predictions.
    """

    def name(text: str) -> str:
        from sdt.formats.format import Holds
        from sdt.formats.table import writer

        try:
            return writer(text, Holds.PREDICTIONS if predictions else Holds.NOTHING).name
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    parser.add_argument("--format", type=name, metavar="NAME", help=f"{purpose}; sdt formats lists them")


def _encoding(text: str) -> str:
    from sdt.text import check_encoding

    try:
        return check_encoding(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_window_options(parser: argparse.ArgumentParser) -> None:
    """Declare `--window` and `--overlap`; see `windows_of`."""
    parser.add_argument(
        "--window",
        type=positive_int,
        metavar="N",
        help="split longer conversations into windows of N utterances and predict each window alone; default: no "
        "windows",
    )
    parser.add_argument(
        "--overlap",
        type=int,
        metavar="N",
        help="utterances that consecutive windows share; default: a quarter of --window",
    )


def windows_of(options: argparse.Namespace) -> Windows | None:
    """How longer conversations are split; None if they are not.

    Raises:
        InputError: The overlap is not less than the window, or is given without a window.
    """
    if options.window is None and options.overlap is None:
        return None
    from sdt.windows import Windows

    return Windows.from_options(options.window, options.overlap)


def add_bootstrap_options(parser: argparse.ArgumentParser) -> None:
    """Declare `--draws`, `--seed` and `--level`; see `resampling_of`."""
    parser.add_argument("--draws", type=_draws, default=10_000, metavar="B", help="bootstrap samples; default: 10000")
    parser.add_argument("--seed", type=_seed, default=0, metavar="S", help="seed of the bootstrap; default: 0")
    parser.add_argument(
        "--level", type=_level, default=95.0, metavar="PERCENT", help="confidence level of intervals; default: 95"
    )


def resampling_of(options: argparse.Namespace) -> Resampling:
    """The bootstrap that the options describe."""
    from sdt.evaluation.bootstrap import Resampling

    return Resampling(options.draws, options.seed, options.level / 100)


def _draws(text: str) -> int:
    if not text.isdecimal() or int(text) < 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 100")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def _level(text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 50 <= level < 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 50 to less than 100")
    return level


def add_cluster_options(parser: argparse.ArgumentParser, units: str) -> None:
    """Declare `--cluster`, `--workers` and `--worker-gpus`.

    Args:
        parser: The command's parser.
        units: The units of work that one worker processes at a time, in the plural, such as "runs".
    """
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="run on a Ray cluster: local (start Ray on this machine), auto, HOST:PORT or ray://HOST:PORT",
    )
    parser.add_argument(
        "--workers",
        type=positive_int,
        metavar="N",
        help=f"with --cluster: {units} at a time; default: as many as the cluster has cores for",
    )
    parser.add_argument(
        "--worker-gpus",
        type=gpu_share,
        metavar="G",
        help="with --cluster: GPUs of each worker, such as 1 or 0.5; default: none",
    )


def gpu_share(text: str) -> float:
    """The type of an option that takes a number of GPUs, or a share of one."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1000 or (number > 1 and not number.is_integer()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of GPUs; give a share below 1, or a whole number")
    return number


def check_cluster_options(options: argparse.Namespace) -> None:
    """Refuse options of a cluster where none is given.

    Raises:
        InputError: `--workers` or `--worker-gpus` is given without `--cluster`.
    """
    for name in ("workers", "worker_gpus"):
        if options.cluster is None and getattr(options, name) is not None:
            raise InputError(f"--{name.replace('_', '-')}: requires a cluster; name it with --cluster")


@contextlib.contextmanager
def connected_cluster(options: argparse.Namespace, threads: int = 1) -> Iterator[Cluster | None]:
    """Connect to the cluster that `--cluster` names until the end of the block; None without `--cluster`."""
    check_cluster_options(options)
    if options.cluster is None:
        yield None
        return
    from sdt.cluster.connection import connect_cluster

    gpus = options.worker_gpus or 0.0
    with connect_cluster(options.cluster, workers=options.workers, threads=threads, gpus=gpus) as cluster:
        yield cluster
