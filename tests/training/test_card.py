"""The model card of a corpus whose names mean something to Markdown and HTML."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt

from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.evaluation.remarks import Remark
from sdt.evaluation.scores import score
from sdt.models.config import Architecture, SDTConfig
from sdt.models.sdt.model import SDT
from sdt.training.card import model_card
from tests.experiments.report.conftest import HOSTILE, hostile_builder
from tests.training.conftest import make_recipe

SURROUNDINGS = {
    "started": "2026-11-30T00:00:00", "hardware": "a <b>CPU</b>", "torch": "2", "sdt": "1",
    "command": "sdt train `x` | y", "processes": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(hostile_builder(), tmp_path_factory.mktemp("card") / "corpus")


def card(corpus: Corpus, folder: Path, terms: list[str]) -> str:
    provenance = {"protocol": "validation", "epoch": 1, "terms": terms}
    model = SDT(replace(SDTConfig.for_corpus(corpus, Architecture(width=8, heads=2)), provenance=provenance))
    labels = corpus.labels
    scores = {"test": {head: score(np.array([0, 1]), np.array([0, 2]), labels) for head in model.classifier_names}}
    remarks = [Remark("dev and test differ", "SDT", {}, f"{labels[0]}: odd")]
    return model_card(model, make_recipe(folder), corpus, scores, SURROUNDINGS, 1.0, remarks)


def test_names_mean_nothing(corpus: Corpus, tmp_path: Path) -> None:
    _, front, body = card(corpus, tmp_path, ["task", "hard", "soft"]).split("---\n", 2)
    assert yaml.safe_load(front)["license_name"] == corpus.licence
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    inline = [token for block in tokens for token in block.children or ()]
    meant = ("html_block", "html_inline", "link_open", "em_open", "image")
    assert [token.content for token in (*tokens, *inline) if token.type in meant] == []
    cells = [block.children for before, block in itertools.pairwise(tokens) if before.type == "td_open"]
    shown = ["".join(token.content for token in cell or ()) for cell in cells]
    assert set(HOSTILE.values()) <= set(shown)
    assert len(shown) == 4 * 3 + 5 * 3  # two tables: heads, classes
    heading = next(block for before, block in itertools.pairwise(tokens) if before.type == "heading_open")
    assert "".join(token.content for token in heading.children or ()) == f"SDT on {corpus.name}"


def test_a_class_without_utterances_has_no_f1(corpus: Corpus, tmp_path: Path) -> None:
    assert "| 0.00 | – | – | 0 |" in card(corpus, tmp_path, ["task"])


@pytest.mark.parametrize(("terms", "heads", "tagged"), [(["task"], 1, False), (["task", "hard", "soft"], 3, True)])
def test_only_what_was_trained_is_scored(
    corpus: Corpus, tmp_path: Path, terms: list[str], heads: int, tagged: bool
) -> None:
    text = card(corpus, tmp_path, terms)
    assert sum(f"| {head} |" in text for head in ("fused", "words", "voice")) == heads
    assert ("self-distillation" in yaml.safe_load(text.split("---\n")[1])["tags"]) == tagged
