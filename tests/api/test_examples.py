"""The scripts and the notebook of `examples/`, and the blocks of docs/python.md, run as they stand."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from tempfile import TemporaryFile

import matplotlib as mpl
import pytest

from tests.forks import ENVIRONMENT, fork
from tests.shared import ROOT

EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
PAGE = ROOT / "docs" / "python.md"
SAYS = {
    "compare_models.py": r"ensemble of the three runs of SDT: \d",
    "own_corpus.py": r"caller: You promised! This is not acceptable\. -> cross",
    "own_encoder.py": r"That is wonderful! glad\nNo, I am not! cross",
    "own_model.py": r"<Run AverageGRU: epoch \d",
    "recording_to_emotions.py": r"WEBVTT",
    "streaming.py": r"still open: room 2",
}
pytestmark = pytest.mark.slow


def test_there_are_six_scripts() -> None:
    assert {script.name for script in SCRIPTS} == SAYS.keys()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script(script: Path, tmp_path: Path) -> None:
    module, environment = f"examples.{script.stem}", {**ENVIRONMENT, "OMP_NUM_THREADS": "1"}
    with contextlib.chdir(tmp_path), TemporaryFile("w+") as errors, fork(module, [], environment, stderr=errors) as one:
        printed = one.stdout.read()
        code = one.wait()
        errors.seek(0)
        assert code == 0, errors.read()[-2000:]
    assert re.search(SAYS[script.name], printed), printed[-2000:]
    assert not list(tmp_path.iterdir())


def run_in_order(blocks: list[str], name: str) -> dict[str, object]:
    """Run blocks of code in one namespace, which they share with nothing else."""
    assert blocks
    namespace: dict[str, object] = {"__name__": name}
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"{name}, block {number}", "exec"), namespace)
    return namespace


def test_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("agg")
    notebook = json.loads((EXAMPLES / "first_steps.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], len({cell["id"] for cell in notebook["cells"]})) == (4, len(notebook["cells"]))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") for cell in notebook["cells"])
    found = run_in_order(cells, "notebook")
    assert len(found["curve"].losses) > 20  # type: ignore[attr-defined]


def test_the_blocks_of_the_guide(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from sdt.evaluation.metrics import METRICS

    monkeypatch.setattr(METRICS, "_added", {})
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    run_in_order(blocks, "guide")
    said = capsys.readouterr().out
    assert "selected epoch" in said
    assert "day=day_3 of 4" in said


def test_the_files_that_the_guide_names_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = re.findall(r"`examples/([\w.]*)`", text)
    assert len(names) > 3
    assert all((EXAMPLES / name).exists() for name in names)


def test_examples_are_not_in_the_wheel() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = re.search(r"\[tool\.hatch\.build\.targets\.wheel\]\npackages = (.*)", text)
    assert packages
    assert json.loads(packages[1]) == ["src/sdt"]
