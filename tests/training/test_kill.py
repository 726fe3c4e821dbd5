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
# The run counts to 41: begin, two epochs (7 is in the first, 15 in the second, 19 and 20 write the second's sealed
# scores, 21 to 26 its checkpoint), the end.
MOMENTS = {"sdt": [2, 9, 12, 15, 25, 38], "utterance": [15]}
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks")]


@pytest.fixture(scope="module")
def killed(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the driver leaves, by model."""
    driver, folder = Path(__file__).with_name("kill_driver.py"), tmp_path_factory.mktemp("killed")
    runs = [word for model, moments in MOMENTS.items() for word in (model, ",".join(map(str, [NEVER, *moments])))]
    command = [sys.executable, str(driver), str(corpus.folder), str(folder), *runs]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("model", MOMENTS)
def test_a_run_killed_at_any_moment_ends_at_the_same_numbers(model: str, killed: Path) -> None:
    folder, moments = killed / model, MOMENTS[model]
    kills = {moment: int((folder / f"{moment}.txt").read_text()) for moment in [NEVER, *moments]}
    assert kills[NEVER] == 0
    assert all(kills[moment] > 0 for moment in moments), kills
    for moment in moments:
        assert_same_run(folder / str(NEVER), folder / str(moment))
        left = {path.name for path in (folder / str(moment)).rglob("*")}
        assert not [name for name in left if name.startswith(".") or name.startswith("checkpoint")]
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
