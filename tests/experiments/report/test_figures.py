"""Figures keep their size: two labels, long names, one system, one seed. A collapse is a warning, so an error."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from sdt.analysis.explanation.embeddings import embed
from sdt.analysis.explanation.explain import explain
from sdt.analysis.explanation.figure_attention import attention_figure
from sdt.analysis.explanation.figure_occlusion import occlusion_figure
from sdt.analysis.explanation.figure_utterances import branches_figure, weights_figure
from sdt.analysis.explanation.representations import figure as spaces_figure
from sdt.analysis.explanation.source import from_corpus
from sdt.analysis.subgroups.figure import parts_figure
from sdt.analysis.subgroups.report import analyse
from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.store import Corpus
from sdt.evaluation.figure import confusion_figure, fitted, inches
from sdt.evaluation.figure_confusions import confusions_figure
from sdt.experiments.report.build import build
from sdt.experiments.report.document import Figure
from sdt.experiments.report.gather import gather
from sdt.feature_table import FeatureTable
from sdt.models.sdt.model import SDT
from sdt.speakers import Speakers
from sdt.training.systems import resolve_systems
from tests.evaluation.runs import make_run
from tests.experiments.report.conftest import FEW

SIXTY = "a name of sixty characters that nobody wants to read, no. {:02d}"
SHORT, LONG = ("no", "yes"), tuple(SIXTY.format(i) for i in range(2))


def made(folder: Path, labels: tuple[str, ...]) -> Corpus:
    random = np.random.default_rng(0)
    conversations: list[Conversation] = []
    splits: dict[str, list[str]] = {}
    for split, count in (("train", 4), ("dev", 4), ("test", 7)):
        for _ in range(count):
            drawn = random.integers(len(labels), size=6).tolist()
            said = tuple(Utterance(str(i), SIXTY.format(i % 2), "hm " * 40, labels[c]) for i, c in enumerate(drawn))
            conversations.append(Conversation(SIXTY.format(len(conversations)), said))
            splits.setdefault(split, []).append(conversations[-1].id)
    size = sum(map(len, conversations))
    names = ("a_modality_whose_name_has_sixty_characters_as_nobody_wants_it", "voice")
    features = {
        name: FeatureTable(random.normal(size=(size, 4)).astype(np.float32), random.random(size) > 0.1, "made")
        for name in names
    }
    return write_corpus(
        CorpusBuilder("long", conversations, labels, splits, features, Speakers("appearance", 2)), folder
    )


@pytest.mark.parametrize(("labels", "rows"), [(LONG, 1), (SHORT, 2)])
def test_a_report(tmp_path: Path, labels: tuple[str, ...], rows: int) -> None:
    corpus = made(tmp_path / "corpus", labels)
    runs = [make_run(tmp_path / str(seed), corpus, seed) for seed in range(rows)]
    found = gather([f"{SIXTY.format(n)}={run}" for n, run in enumerate(runs)], FEW)
    for figure in build(found, "sdt report").all(Figure):
        width, height = (float(ET.fromstring(figure.svg).get(side) or 0) for side in ("width", "height"))
        assert 100 < width < 1300, figure.name
        assert 60 < height < 900, figure.name


def test_the_pictures_of_one_and_of_two_systems(tmp_path: Path) -> None:
    corpus = made(tmp_path / "corpus", LONG)
    runs = [make_run(tmp_path / str(seed), corpus, seed) for seed in range(2)]
    systems = [of.system for of in resolve_systems([f"{SIXTY.format(n)}={run}" for n, run in enumerate(runs)], "test")]
    analyses = analyse(systems, [corpus, corpus], FEW)
    first, second = systems
    confusion = np.bincount(first.true * len(first.labels) + first.predicted[0], minlength=len(first.labels) ** 2)
    pictures = [
        parts_figure(analyses, "title"),
        confusions_figure(first, [second], "title"),
        confusion_figure(confusion.reshape(len(first.labels), -1), first.labels, "title\nmore"),
    ]
    model = SDT.from_pretrained(runs[0])
    subject = from_corpus(model.config, corpus, corpus.splits["test"][0])
    explanation = explain(model, subject.batch, subject.conversation)
    pictures += [weights_figure(explanation), branches_figure(explanation), occlusion_figure(explanation)]
    pictures += [
        attention_figure(explanation, 0),
        spaces_figure(embed(model, corpus, corpus.split("test"), at_most=9), "title"),
    ]
    for picture in pictures:
        picture.draw_without_rendering()
        whole = picture.get_tightbbox()
        assert whole.width < 1.4 * picture.get_size_inches()[0] + 1
        boxes = [axes.get_window_extent() for axes in picture.axes if axes.axison]
        assert min(box.width for box in boxes if box.height) > 5
        assert max(box.width for box in boxes) > 60


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_a_long_name_is_cut_in_the_middle(lines: int) -> None:
    one, two = (fitted(SIXTY.format(i), 20, lines) for i in range(2))
    assert one != two
    assert one.endswith("no. 00")
    assert max(map(len, one.split("\n"))) <= 20
    assert one.count("\n") < lines
    assert fitted("short", 20, lines) == "short"
    assert fitted("x" * 500, 20, lines).count("…") == 1
    assert inches([one]) <= inches(["m" * 20])
