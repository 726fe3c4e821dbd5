"""Killed tests leave nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.shared import ROOT

STARTS = """
import subprocess, sys
from pathlib import Path
from tests.guard import guard
sleeper = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
process = subprocess.Popen([sys.executable, "-c", sleeper + "print('up', flush=True); time.sleep(600)"], stdout=-1)
process.stdout.readline()
guard(process, Path(sys.argv[1]))
print(process.pid, flush=True)
sys.stdin.read()
"""


def test_what_killed_tests_started_ends_with_all_that_it_started(tmp_path: Path) -> None:
    folder = tmp_path / "of the service"
    folder.mkdir()
    tests = subprocess.Popen(
        [sys.executable, "-c", STARTS, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with tests:
        assert tests.stdout
        service = psutil.Process(int(tests.stdout.readline()))
        running = [service, *service.children()]
        assert len(running) == 2
        tests.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(running, timeout=60)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
