from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdt.corpus.store import Corpus
from tests.shared import ROOT
from tests.training.test_run import assert_same_run

NEVER = 100_000


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks")
@pytest.mark.parametrize(("model", "moments"), [("sdt", [2, 9, 12, 25, 38]), ("utterance", [25])])
def test_a_run_killed_at_any_moment_ends_at_the_same_numbers(
    model: str, moments: list[int], corpus: Corpus, tmp_path: Path
) -> None:
    # The run counts to 41: begin, two epochs (7 is in the first, 19 and 20 write the second's sealed scores, 21 to 26
    # its checkpoint), the end.
    driver = Path(__file__).with_name("kill_driver.py")
    command = [sys.executable, str(driver), str(corpus.folder), str(tmp_path), model, *map(str, [NEVER, *moments])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kills = {moment: int((tmp_path / f"{moment}.txt").read_text()) for moment in [NEVER, *moments]}
    assert kills[NEVER] == 0
    assert all(kills[moment] > 0 for moment in moments), kills
    for moment in moments:
        assert_same_run(tmp_path / str(NEVER), tmp_path / str(moment))
        left = {path.name for path in (tmp_path / str(moment)).rglob("*")}
        assert not [name for name in left if name.startswith(".") or name.startswith("checkpoint")]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
