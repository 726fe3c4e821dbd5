"""What holds for all tests."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests.shared import KERNELS, ROOT

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What the tests start keeps its bytecode: compiling the package takes each process half a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# What the tests start is this checkout, too.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT), *KERNELS])
sys.path[:0] = KERNELS
# Rounding makes PyTorch look for this folder, which it else makes where a service keeps uploads.
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(tempfile.gettempdir()) / "torchinductor-tests"))

SYSTEM = tuple(
    """
    analysis/explanation api benchmarks cluster experiments fuzz models/baselines serving cli/test_analyse.py
    cli/test_compare.py cli/test_corpus.py cli/test_evaluate.py cli/test_experiment.py cli/test_explain.py
    cli/test_features.py cli/test_imports.py cli/test_puppets.py cli/test_report.py cli/test_reproduce.py
    cli/test_robustness.py cli/test_search.py cli/test_train.py cli/test_transcribe.py cli/test_watch.py
    cli/test_whisper_features.py cli/test_without_torch.py corpus/test_memory.py encoders/test_audio_voice8.py
    encoders/test_faces.py encoders/test_workers.py formats/test_loop.py models/test_attention.py
    models/test_graph_precision.py models/test_onnx_export.py prediction/test_box.py prediction/test_clustered.py
    prediction/test_engines.py prediction/test_long.py prediction/test_streaming.py puppets/test_write.py
    speech/test_acoustics.py speech/test_offline.py speech/test_recording.py speech/test_whisper.py test_guard.py
    test_docs_run.py test_docs_run_training.py test_packaging.py test_readme.py test_site.py training/test_finetune.py
    training/test_finetune_context.py training/test_finetune_several.py training/test_finetune_symbols.py
    encoders/test_int8_weights.py training/test_kill.py training/test_run.py training/test_switches.py
    training/test_test_monitor.py training/test_together.py training/test_selection.py training/test_trackers.py
    training/test_weights.py
    """.split()  # noqa: SIM905 - a name per line would fill a page
)
"""Folders and files of tests that start processes, services, clusters or browsers, wait for clocks, or train for
seconds; `make test-fast` leaves them out."""


def pytest_report_header() -> str:
    return f"kernels: {'rounded by shape (SDT_TEST_KERNELS=plain: as they are)' if KERNELS else 'as they are'}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests of the whole system. Keep those of a file in one process, which makes its fixtures once, and begin
    with files that take long."""
    system = tuple(str(ROOT / "tests" / name) for name in SYSTEM)
    for item in items:
        if str(item.path).startswith(system):
            item.add_marker("system")
    if not config.getoption("loadgroup", default=False):
        return
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}/{item.path.stem}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run grouped tests side by side: they share a service or a cluster, and some end processes of it."""
    if not session.config.getoption("loadgroup", default=False):
        return
    for item in session.items:
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            pytest.exit("pytest-xdist does not keep the tests of a group together with this version of pytest", 4)
