"""The Python and the commands of the guides of corpora, features, training and experiments run, page by page."""

from __future__ import annotations

import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.cli import find_command
from sdt.encoders import text_model
from sdt.experiments.plan import Job
from sdt.models import registry
from sdt.training.run import train
from tests import page_files as files
from tests.pages import PAGES, blocks, typed
from tests.shared import ROOT
from tests.shell import NEEDS_BASH, Shell
from tests.test_docs_run import GUIDES as PREDICTION
from tests.training.test_run import quiet

pytestmark = [pytest.mark.slow, NEEDS_BASH]

SHORTER = {
    "train": "--training.epochs 1",
    "experiment": "--training.epochs 1 --seeds 0",
    "ablations": "--rows no-gates",
    "switches": "--rows head-patterns,relative-positions",
    "search": "--training.epochs 1 --trials 1",
    "features finetune-text": "--epochs 1",
    "puppets": "--conversations 3 --seed 156",
    **dict.fromkeys(("compare", "robustness", "agreement"), "--draws 200"),
    "recipes/iemocap.yaml": "--model.width 16",
}
"""What takes long, with the options that make it shorter: they replace those of the page, and all others stay."""
OTHERS = ("python", "pip", "torchrun", "ray", "tail")
"""Programs that do nothing here: tests/benchmarks, tests/training/test_together.py and tests/cluster start them."""
ELSEWHERE = r"--cluster|^serve|^reproduce"
"""Commands that tests/cluster, tests/serving and tests/cli/test_reproduce.py run."""
CODE_ELSEWHERE = "MeanContext"
"""Python that tests/models/baselines/test_docs.py runs, with the commands of the same page in a console."""

MELD = "corpus import {train,dev,test}_sent_emo.csv --features audio=train_audio.csv,dev_audio.csv,test_audio.csv"
BUNDLED = f"""{MELD} --normalise audio=conversation --output build/bundled/meld \\
    --text-encoder src/sdt/models/bundled/english-text-audio-small/text-encoder:layers"""
PUBLISHED = "corpus import iemocap_features_roberta.pkl IEMOCAP_features.pkl --output"
Given = Callable[[], None] | str
"""Files that a page names, or a command of another page that makes them."""
GUIDES: dict[str, tuple[int, list[Given]]] = {
    "docs/corpora.md": (
        18,
        [files.meld, files.emorynlp, files.single_texts, files.mosi, files.annotated, files.other_corpora],
    ),
    "docs/features.md": (
        13,
        [
            *(files.talks, files.calls, files.meld, files.clips, files.emorynlp, files.single_texts),
            *(files.releases, files.roberta),
            f"{MELD} --text-encoder words --output build/meld",
            "corpus import emorynlp_{train,dev,test}_final.csv --text-encoder words --output build/emorynlp",
            "corpus import goemotions/{train,dev,test}.tsv --text-encoder words --output build/goemotions",
            "corpus import en-annotated.tsv neu_en.txt --text-encoder words --output build/xed",
        ],
    ),
    "docs/audio.md": (14, [files.talks, files.calls, files.meld, files.clips, BUNDLED]),
    "docs/puppets.md": (6, []),
    "docs/experiments.md": (
        18,
        [
            *(files.puppets, files.interviews, files.mosi, files.other_corpora),
            "corpus import mosi --dev share --output build/mosi",
            f"{PUBLISHED} build/iemocap-published",
        ],
    ),
    "docs/switches.md": (
        20,
        [
            *(files.puppets, files.trained, files.meld, files.emorynlp, files.mosi, files.bert),
            f"{MELD} --text-encoder words --output build/meld",
        ],
    ),
    "docs/baselines.md": (30, [files.talks, files.puppets, files.emorynlp]),
    "docs/results.md": (32, [files.meld, files.emorynlp_folder, files.single_texts, BUNDLED]),
    "docs/explaining.md": (6, [files.talks, files.mine, files.puppets, files.own_model]),
    "docs/streaming.md": (4, [files.talks, files.mine, files.puppets]),
    "docs/scaling.md": (3, [files.talks, files.puppets, files.trained]),
    "docs/reproduce.md": (1, [files.other_corpora, f"{PUBLISHED} runs/reproduce-iemocap/corpus"]),
    "docs/agreement.md": (3, [files.annotated]),
}
"""Every page with the number of commands that run at least, and what they are given."""
PAGES_ELSEWHERE = {
    "README.md": "test_readme.py",
    "docs/get-started/researcher.md": "test_readme.py",
    "docs/python.md": "api/test_examples.py",
    "docs/serving.md": "test_docs_run.py",
    **dict.fromkeys(PREDICTION, "test_docs_run.py"),
}


def shortened(words: Sequence[str]) -> list[str]:
    """The words of a command with those that make it shorter."""
    words, command = list(words), find_command(words)
    more = [text for name, text in SHORTER.items() if name == command or name in words[1:3]]
    options = iter(shlex.split(" ".join(more)))
    for option, value in zip(options, options, strict=True):
        if option in words:
            words[words.index(option) + 1] = value
        else:
            words += [option, value]
    return [*words, "--no-onnx"] if command == "train" else words  # graphs take seconds; test_readme.py writes them


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder like the repository's root, a home of its own; experiments train in this process."""

    def in_this_process(jobs: Sequence[Job], *_: object, **__: object) -> list[object]:
        for job in jobs:
            train(job.recipe, job.folder, display=quiet(), command=job.command)
        return []

    monkeypatch.setattr("sdt.experiments.run.train_runs", in_this_process)
    monkeypatch.setattr(registry, "_custom", {})
    monkeypatch.setattr(registry, "_files", {})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)  # one core needs no other processes
    monkeypatch.setattr(text_model, "minilm_folder", lambda: tmp_path / "minilm")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    files.repository()
    files.minilm()


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("page", GUIDES)
def test_a_guide(page: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    expected, given = GUIDES[page]
    ran: list[str] = []

    def sdt(words: list[str]) -> int:
        if not re.search(ELSEWHERE, " ".join(words)):
            words = shortened(words)
            ran.append(shlex.join(words))
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(files.CHAT.encode())))
            assert main(words) == 0, f"$ sdt {ran[-1]}\n{capsys.readouterr()}"
        return 0

    namespace: dict[str, object] = {"__name__": page}
    with Shell(sdt, OTHERS) as shell:
        for one in given:
            shell.run(f"sdt {one}") if isinstance(one, str) else one()
        ran.clear()
        for number, (kind, code) in enumerate(blocks(PAGES[page])):
            if kind == "python" and CODE_ELSEWHERE not in code:
                exec(compile(code, f"{page}, block {number}", "exec"), namespace)
            elif kind in ("", "sh"):
                shell.run(typed(kind, code))
    assert len(ran) >= expected


def test_every_page_runs() -> None:
    with_code = {
        page
        for page, text in PAGES.items()
        for kind, code in blocks(text)
        if kind == "python" or "sdt" in typed(kind, code)
    }
    assert with_code - {"CHANGELOG.md"} == GUIDES.keys() | PAGES_ELSEWHERE.keys()
    for test in PAGES_ELSEWHERE.values():
        assert (ROOT / "tests" / test).exists()
