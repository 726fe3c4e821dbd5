"""The options of commands that a cluster can work for."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sdt.cli.options import count
from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.cluster.work import Cluster


def add_cluster_options(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare `--cluster`, `--workers` and `--worker-gpus`.

    Args:
        parser: Of the command.
        what: What a worker has at a time, in the plural: `runs`.
    """
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="work on a Ray cluster: local (a Ray on this machine), auto, HOST:PORT or ray://HOST:PORT",
    )
    parser.add_argument(
        "--workers",
        type=count,
        metavar="N",
        help=f"with --cluster: {what} at a time (as many as the cluster has cores for)",
    )
    parser.add_argument(
        "--worker-gpus", type=share, metavar="G", help="with --cluster: GPUs of each worker, such as 1 or 0.5 (none)"
    )


def share(text: str) -> float:
    """An option that says how much of a GPU, or how many."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1000 or (number > 1 and not number.is_integer()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of GPUs; give a share below 1, or a whole number")
    return number


def check_cluster_options(options: argparse.Namespace) -> None:
    """Refuse what only a cluster could make use of.

    Raises:
        InputError: `--workers` or `--worker-gpus` stands without `--cluster`.
    """
    for name in ("workers", "worker_gpus"):
        if options.cluster is None and getattr(options, name) is not None:
            raise InputError(f"--{name.replace('_', '-')}: is for work on a cluster; say which with --cluster")


@contextlib.contextmanager
def asked_cluster(options: argparse.Namespace, threads: int = 1) -> Iterator[Cluster | None]:
    """The cluster that was asked for, connected within the block; None where there was none."""
    check_cluster_options(options)
    if options.cluster is None:
        yield None
        return
    from sdt.cluster.connection import connect_cluster

    gpus = options.worker_gpus or 0.0
    with connect_cluster(options.cluster, workers=options.workers, threads=threads, gpus=gpus) as cluster:
        yield cluster
