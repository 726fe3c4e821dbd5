"""`sdt report` as a user runs it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from sdt.__main__ import main
from tests.experiments.report.conftest import corpus, experiment

__all__ = ["corpus", "experiment"]
pytestmark = pytest.mark.xdist_group("report")  # they share an experiment


@pytest.fixture
def place(experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the experiment `parts`."""
    shutil.copytree(experiment, tmp_path / "parts")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["report", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_an_experiment_is_reported_into_its_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "parts", "--draws", "200"]) == 0
    out = capsys.readouterr().out
    assert "note: unfinished runs, listed in the report: 1" in out
    assert "written to parts/report: report.html, report.md, tables.tex, figures" in out
    page = (place / "parts/report/report.md").read_text(encoding="utf-8")
    assert page.startswith("# Does the voice suffice?\n")
    assert "sdt report parts --draws 200" in page
    for picture in re.findall(r"\]\((figures/[^)]+)\)", page):
        assert (place / "parts/report" / picture).is_file()
    assert str(place) not in page
    assert "exists already" in refused(capsys, "parts")
    # The report that is in the experiment's folder already is no row of it.
    assert main(["report", "parts", "--draws", "200", "--overwrite", "--reference", "voice"]) == 0
    assert "full minus" not in page
    assert "Difference in weighted F1 to voice" in (place / "parts/report/report.md").read_text(encoding="utf-8")


def test_folders_side_by_side(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["report", "parts/full", "single=parts/voice/seed-0", "--draws", "200"]
    assert main([*arguments, "--output", "out"]) == 0
    page = (place / "out/report.md").read_text(encoding="utf-8")
    assert page.startswith("# How do full and single compare?\n")
    assert "single is " in page
    capsys.readouterr()
    assert "with --output" in refused(capsys, *arguments[1:])


def test_refusals(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "empty").mkdir()
    assert "nothing to report on" in refused(capsys, "empty")
    assert not (place / "empty/report").exists()
    (place / "taken").mkdir()
    (place / "taken/mine.txt").touch()
    assert "'mine.txt'" in refused(capsys, "parts", "--output", "taken", "--overwrite")
    assert "is a file" in refused(capsys, "parts", "--output", "taken/mine.txt")
    (place / "parts/full/seed-0/scores.json").write_text("{", encoding="utf-8")
    assert "seed-0/scores.json: missing or damaged" in refused(capsys, "parts")
    header = json.loads((place / "parts/experiment.json").read_text(encoding="utf-8"))
    (place / "parts/experiment.json").write_text(json.dumps({**header, "format": 99}), encoding="utf-8")
    assert "format 99" in refused(capsys, "parts")


def test_the_date_may_be_fixed(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert "SOURCE_DATE_EPOCH: 'yesterday'" in refused(capsys, "parts/voice/seed-0", "--output", "o")
    assert not (place / "o").exists()


def test_spaces_are_shown_when_asked_for(place: Path) -> None:
    assert main(["report", "parts/full/seed-0", "--representations", "--output", "out"]) == 0
    page = (place / "out/report.html").read_text(encoding="utf-8")
    assert page.count(">Representations before and after fusion</h2>") == 1
    spaces = page[page.index(">Representations before and after fusion</h2>") :]
    assert "as many have the same emotion" not in page
    assert re.search(r"<td[^>]*>fused[^<]*</td>|<th[^>]*>[^<]*fusion[^<]*</th>", spaces)
    assert (place / "out/figures/spaces.svg").is_file()
