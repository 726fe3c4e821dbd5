"""What a report says, against the files of the runs."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import statistics
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sdt.corpus.store import Corpus
from sdt.evaluation.calibration import calibration_error
from sdt.experiments.report.build import build, write
from sdt.experiments.report.curves import Band
from sdt.experiments.report.document import Document, Figure, Note, Table
from sdt.experiments.report.gather import gather
from sdt.experiments.report.study import Study
from sdt.training.folder import RunFolder
from sdt.training.probabilities import read_probabilities
from sdt.training.run import train
from tests.evaluation.runs import make_run
from tests.experiments.report.conftest import FEW, HOSTILE
from tests.training.conftest import make_recipe
from tests.training.test_run import quiet

pytestmark = pytest.mark.xdist_group("report")  # they share an experiment


@pytest.fixture(scope="module")
def document(study: Study) -> Document:
    return build(study, "sdt report parts")


def table(document: Document, name: str) -> Table:
    return next(of for of in document.all(Table) if of.name == name)


def notes(document: Document) -> str:
    return " ".join(block.text for block in document.blocks() if isinstance(block, Note))


def values(experiment: Path, row: str, *keys: str, seeds: tuple[int, ...] = (0, 1, 2)) -> list[float]:
    found = []
    for seed in seeds:
        at: Any = json.loads((experiment / row / f"seed-{seed}" / "scores.json").read_text(encoding="utf-8"))
        for key in keys:
            at = at[key]
        found.append(100 * float(at))
    return found


def spread(numbers: list[float], form: str = ".2f") -> str:
    return f"{statistics.mean(numbers):{form}} ± {statistics.stdev(numbers):.2f}"


def test_the_order_of_the_sections(document: Document) -> None:
    assert [section.title for section in document.sections] == [
        "Summary",
        "Remarks",
        "Unfinished runs",
        "Scores",
        "Significance",
        "Test-selected scores",
        "Training curves",
        "Calibration",
        "Confusion matrices",
        "Error analysis",
        "Data",
        "Settings",
        "Environment and commands",
    ]
    assert document.title == "Does the voice suffice?"


def test_scores_are_those_of_the_runs(document: Document, experiment: Path) -> None:
    scores = table(document, "scores")
    assert [row[0] for row in scores.rows] == ["full (reference)", "voice", "no-distillation"]
    main = values(experiment, "voice", "scores", "test", "fused", "weighted_f1", seeds=(0, 2))
    macro = values(experiment, "voice", "scores", "test", "fused", "macro_f1", seeds=(0, 2))
    dev = values(experiment, "voice", "scores", "dev", "fused", "weighted_f1", seeds=(0, 2))
    assert scores.rows[1][1] == "2"
    assert scores.rows[1][3:] == (spread(main), spread(macro), f"{min(main):.2f}–{max(main):.2f}", spread(dev))
    heads = table(document, "heads")
    assert [name for name, _ in heads.columns] == ["row", "teacher (fused)", "student words", "student voice"]
    assert heads.rows[1][2] == "–"  # the row `voice` has no such student
    assert heads.rows[2][2:] == ("–", "–")  # the row `no-distillation` did not train them
    student = values(experiment, "full", "scores", "test", "voice", "weighted_f1")
    assert heads.rows[0][3] == spread(student)
    cross = values(experiment, "no-distillation", "scores", "test", "fused", "classes", "cross", "f1")
    classes = table(document, "classes")
    assert classes.rows[2][[name for name, _ in classes.columns].index("cross")] == spread(cross)
    closely = table(document, "closely-classes")
    (row,) = [row for row in closely.rows if row[0] == "glad"]
    of_student = values(experiment, "full", "scores", "test", "words", "classes", "glad", "f1")
    assert row[5] == spread(of_student)
    support = values(experiment, "full", "scores", "test", "fused", "classes", "glad", "support")[0] / 100
    assert row[1] == f"{support:.0f}"


def test_the_best_row_stands_out(document: Document, study: Study) -> None:
    scores = table(document, "scores")
    (number,) = scores.best
    assert scores.rows[number][0].removesuffix(" (reference)") == study.best


def test_both_protocols(document: Document, experiment: Path) -> None:
    protocols = table(document, "protocols")
    chosen = values(experiment, "full", "test_chosen", "scores", "fused", "weighted_f1")
    honest = values(experiment, "full", "scores", "test", "fused", "weighted_f1")
    gain = [a - b for a, b in zip(chosen, honest, strict=True)]
    epochs = [epoch / 100 for epoch in values(experiment, "full", "epoch")]
    shown = f"{min(epochs):.0f}" if min(epochs) == max(epochs) else f"{min(epochs):.0f}–{max(epochs):.0f}"
    assert protocols.rows[0][1:5] == (spread(honest), spread(chosen), spread(gain, "+.2f"), shown)
    assert "epoch selected on test" in protocols.caption
    assert all("test-selected" in name for name, _ in (protocols.columns[2], protocols.columns[5]))


def test_differences_are_the_comparisons(document: Document, study: Study) -> None:
    shown = table(document, "differences-weighted-f1")
    assert [row[0] for row in shown.rows] == ["voice", "no-distillation"]
    for row, comparison in zip(shown.rows, study.comparisons, strict=True):
        of = comparison.differences["weighted_f1"]
        assert row[1] == f"{100 * of.value:+.2f}"
        assert row[2] == f"{100 * of.low:+.2f} to {100 * of.high:+.2f}"
        assert float(row[4].replace("<", "")) == pytest.approx(of.p_holm, abs=1e-3)
    answers = document.sections[0].blocks
    assert any(study.comparisons[0].sentence() in getattr(block, "items", ()) for block in answers)


def test_what_is_missing_is_named(document: Document) -> None:
    assert table(document, "missing").rows == (("voice", "1", "not started"),)
    assert "1 of 9 runs are not finished" in notes(document)
    assert "Conclusions about other seeds need at least 5 runs of each row" in notes(document)
    assert "the test set has only 7 conversations" in notes(document).lower()
    assert "lacks the seeds" not in notes(document)  # the table says it


def test_data_settings_and_commands(document: Document, corpus: Corpus) -> None:
    labels = table(document, "labels")
    counted = [u.label for c in corpus.split("test") for u in c.utterances]
    assert [row for row in labels.rows if row[0] == "cross"][0][3] == str(counted.count("cross"))  # noqa: RUF015
    modalities = {row[0]: row for row in table(document, "modalities").rows}
    lacking = sum(int((~corpus.modalities["voice"].present[corpus.rows(c.id)]).sum()) for c in corpus.split("test"))
    assert modalities["voice"][1:3] == ("made-voice", "4")
    assert modalities["voice"][5] == f"{100 * lacking / len(counted):.1f} %"
    assert ("fingerprint (corpus.json)", corpus.fingerprint) in table(document, "provenance").rows
    rows = table(document, "rows").rows
    assert rows[1] == ("voice", "modalities: voice", "2 of 3")
    assert rows[2][1] == "objective.hard: 0.0, objective.soft: 0.0"
    assert ("training.epochs", "3") in table(document, "recipe").rows
    text = document.sections[-1].blocks[-1]
    assert getattr(text, "text", "") == "sdt experiment tiny.yaml\nsdt report parts"


def test_calibration_before_and_after(document: Document, experiment: Path) -> None:
    errors = {"before": [], "after": []}  # type: dict[str, list[float]]
    for seed in (0, 1, 2):
        said = read_probabilities(RunFolder(experiment / f"full/seed-{seed}"), "test")
        logits = said.temperature * np.log(said.probabilities.astype(np.float64))
        plain = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        errors["before"].append(100 * calibration_error(plain.astype(np.float32), said.label))
        errors["after"].append(100 * calibration_error(said.probabilities, said.label))
    row = table(document, "calibration").rows[0]
    assert row[2:4] == (spread(errors["before"]), spread(errors["after"]))


def test_bands_over_runs_of_different_length() -> None:
    runs = [[{"a": {"b": x}} for x in numbers] for numbers in ([1.0, 2.0, 6.0], [3.0, 4.0])]
    band = Band.of(runs, "a", "b")
    assert band is not None
    assert band.epoch.tolist() == [1, 2, 3]
    assert band.mean.tolist() == [2.0, 3.0, 6.0]
    assert (band.low.tolist(), band.high.tolist()) == ([1.0, 2.0, 6.0], [3.0, 4.0, 6.0])
    assert Band.of(runs, "a", "c") is None
    assert Band.of([], "a") is None


def test_figures_say_in_words_what_they_show(document: Document, study: Study) -> None:
    figures = {of.name: of for of in document.all(Figure)}
    assert list(figures) == ["classes-figure", "forest", "curves-scores", "curves-losses", "curves-rows", "reliability",
                             "confusions", "confusions-differences"]  # fmt: skip
    assert "no-distillation" in figures["curves-rows"].alternative
    assert "voice" not in figures["curves-rows"].alternative  # it is not taught differently
    value = 100 * study.comparisons[0].differences["weighted_f1"].value
    assert f"voice {value:+.1f}" in figures["forest"].alternative
    assert all(of.alternative and of.caption for of in figures.values())


def test_the_same_folder_gives_the_same_bytes_but_for_the_date(
    document: Document, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, epoch in (("one", "86400"), ("two", "172800")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        write(build(gather([str(study.sources[0].path)], FEW), "sdt report parts"), tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 3 + len(document.all(Figure))
    for file in files:
        later = (tmp_path / "two" / file).read_bytes().replace(b"1970-01-03", b"1970-01-02")
        assert (tmp_path / "one" / file).read_bytes() == later, file
    for name, date in (("one", "1970-01-02"), ("two", "1970-01-03")):
        page = (tmp_path / name / "report.html").read_text(encoding="utf-8")
        assert f"Written on {date}" in page
        assert str(tmp_path) not in page


def test_scores_that_were_chosen_on_test_say_so_everywhere(corpus: Corpus, tmp_path: Path) -> None:
    for seed in (1, 2):
        make_run(tmp_path / "runs" / f"seed-{seed}", corpus, seed, protocol="published")
    found = build(gather([str(tmp_path / "runs")], FEW), "sdt report runs")
    assert "runs: epoch selected on test (protocol 'published'); the scores are optimistic." in notes(found)
    assert "dev-selected scores are unknown" in notes(found)
    assert "Epoch selected on test (protocol 'published')." in table(found, "closely-heads").caption
    assert "epoch selected on dev" not in str(found).lower()


def test_a_model_without_students(corpus: Corpus, tmp_path: Path) -> None:
    recipe = dataclasses.replace(make_recipe(corpus.folder, epochs=2), architecture="utterance")
    train(recipe, tmp_path / "run", display=quiet())
    found = build(gather([str(tmp_path / "run")], FEW), "sdt report run")
    assert [row[0] for row in table(found, "closely-heads").rows] == ["run"]
    assert [name for name, _ in table(found, "closely-classes").columns] == ["class", "support", "F1"]
    assert "run: losses by epoch" in [figure.title for figure in found.all(Figure)]
    assert not re.search("teacher|student|soft", str(found).lower())


def test_a_model_with_branches_and_without_self_distillation(corpus: Corpus, tmp_path: Path) -> None:
    recipe = dataclasses.replace(make_recipe(corpus.folder, epochs=2), architecture="bc_lstm")
    folder = train(recipe, tmp_path / "run", display=quiet())
    found = build(gather([str(tmp_path / "run")], FEW), "sdt report run")
    assert [row[0] for row in table(found, "closely-heads").rows] == ["fused", "branch words", "branch voice"]
    columns = [name for name, _ in table(found, "closely-classes").columns]
    assert columns == ["class", "support", "fused", "branch words", "branch voice"]
    assert {key for key, _ in table(found, "recipe").rows if key.startswith("objective.")} == {
        "objective.task", "objective.hard", "objective.balance", "objective.contrastive", "objective.shift",
        "objective.label_smoothing"
    }  # fmt: skip
    for line in folder.read_metrics():
        assert line["losses"].keys() == {"task", "hard", "total"}
        assert {head: set(terms) for head, terms in line["branches"].items()} == {"words": {"hard"}, "voice": {"hard"}}
        assert "students" not in line
    card = (folder.model / "README.md").read_text(encoding="utf-8")
    write(found, tmp_path / "report")
    for text in (str(found), card, (tmp_path / "report/report.md").read_text(encoding="utf-8")):
        assert not re.search("teacher|student|soft|distill", text.lower())


def test_models_with_settings_of_their_own(corpus: Corpus, tmp_path: Path) -> None:
    for name in ("bc_lstm", "utterance"):
        recipe = dataclasses.replace(make_recipe(corpus.folder, epochs=1), architecture=name)
        train(recipe, tmp_path / name, display=quiet())
    found = build(gather([str(tmp_path / "bc_lstm"), str(tmp_path / "utterance")], FEW), "sdt report runs")
    rows = {key: values for key, *values in table(found, "recipe").rows}
    assert rows["architecture"] == ["bc_lstm", "utterance"]
    assert rows["bc_lstm.width"][1] == "–" != rows["bc_lstm.width"][0]


def test_remarks_have_the_numbers_of_the_runs(document: Document, study: Study, experiment: Path) -> None:
    gain = study.rows[0].group.fusion_gain
    assert gain is not None
    for split in ("dev", "test"):
        of = {
            head: statistics.mean(values(experiment, "full", "scores", split, head, "weighted_f1"))
            for head in ("fused", "words", "voice")
        }
        best = max(("words", "voice"), key=of.__getitem__)
        assert gain.values["best_branch"][split] == best
        assert 100 * gain.values["gain"][split] == pytest.approx(of["fused"] - of[best])
    assert study.rows[2].group.terms == ("task",)
    assert "untrained branches" in {remark.kind for remark in study.rows[2].group.remarks}
    assert any(gain.text in getattr(block, "text", "") for block in document.blocks())


def test_a_row_that_is_level_with_the_reference_is_not_called_the_best(corpus: Corpus, tmp_path: Path) -> None:
    for name in ("other", "same"):
        make_run(tmp_path / name, corpus, 1)
    found = gather([str(tmp_path / "other"), str(tmp_path / "same")], FEW, "same")
    assert found.best == "same"
    of = found.comparisons[0].to_dict()
    assert of["measures"]["weighted_f1"]["interval"] is None
    assert of["verdicts"]["weighted_f1"] == {"test_set": "not significant", "seeds": "too few"}
    assert build(found, "sdt report")


def test_without_predictions(experiment: Path, tmp_path: Path) -> None:
    shutil.copytree(experiment / "full/seed-0", tmp_path / "run")
    shutil.rmtree(tmp_path / "run/predictions")
    found = build(gather([str(tmp_path / "run")], FEW), "sdt report run")
    assert "no predictions of split 'test'" in notes(found)
    titles = [section.title for section in found.sections]
    assert "Scores" in titles
    assert "Confusion matrices" not in titles
    assert "Error analysis" not in titles


def test_the_environment_says_how_many_processes_trained_together(experiment: Path, tmp_path: Path) -> None:
    shutil.copytree(experiment / "full/seed-0", tmp_path / "run")
    path = tmp_path / "run/environment.json"
    said = json.loads(path.read_text("utf-8"))
    assert said["processes"] == 1
    path.write_text(json.dumps(said | {"processes": 2}), encoding="utf-8")
    found = build(gather([str(tmp_path / "run")], FEW), "sdt report run")
    assert ("training processes", "2") in table(found, "environment").rows


def test_without_the_corpus(experiment: Path, tmp_path: Path) -> None:
    shutil.copytree(experiment / "full/seed-0", tmp_path / "run")
    path = tmp_path / "run/environment.json"
    path.write_text(path.read_text("utf-8").replace('/tiny"', '/gone"'), encoding="utf-8")
    found = build(gather([str(tmp_path / "run")], FEW), "sdt report run")
    assert "does not exist" in notes(found)
    assert [name for name, _ in table(found, "labels").columns] == ["label", "dev", "test"]


def test_nothing_is_finished_yet(experiment: Path, tmp_path: Path) -> None:
    shutil.copytree(experiment, tmp_path / "e")
    for path in (tmp_path / "e").rglob("scores.json"):
        path.unlink()
    found = build(gather([str(tmp_path / "e")], FEW), "sdt report e")
    assert "No run is finished yet" in notes(found)
    assert "9 of 9 runs are not finished" in notes(found)
    assert "full is not finished" in notes(found)
    assert ("training.epochs", "3") in table(found, "recipe").rows


def test_names_that_mean_something_elsewhere(hostile: Path, tmp_path: Path) -> None:
    found = build(gather([str(hostile)], FEW), "sdt report 'a<b>'")
    write(found, tmp_path / "report")
    page = (tmp_path / "report/report.html").read_text(encoding="utf-8")
    for label in HOSTILE.values():
        assert label in [row[0] for row in table(found, "labels").rows]
        assert "<b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert r"a\_b \& 50 \%" in (tmp_path / "report/tables.tex").read_text(encoding="utf-8")
    assert r"x\|y \$z\$ \`\#{}\~^\\" in (tmp_path / "report/report.md").read_text(encoding="utf-8")


LATEX = shutil.which("pdflatex")


@pytest.mark.skipif(LATEX is None, reason="needs pdflatex on the path")
def test_the_tables_are_latex(hostile: Path, experiment: Path, tmp_path: Path) -> None:
    assert LATEX
    for number, folder in enumerate((hostile, experiment)):
        write(build(gather([str(folder)], FEW), "sdt report x"), tmp_path / f"report-{number}")
    inputs = "".join(rf"\input{{report-{number}/tables.tex}}\clearpage" for number in range(2))
    text = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{inputs}\end{{document}}"
    (tmp_path / "paper.tex").write_text(text, encoding="utf-8")
    command = [LATEX, "-no-shell-escape", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, errors="replace")
    assert done.returncode == 0, done.stdout[-3000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000
