"""The Python and the commands of the guides of prediction and evaluation run, page by page and in order."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.conversation import Conversation
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.store import Corpus
from sdt.speech import recording
from sdt.speech.engines import TRANSCRIBERS, Engine
from sdt.speech.speakers import diarize
from sdt.training.recipe import dump_recipe
from tests import page_files as files
from tests.encoders.clips import noise, write_clip
from tests.evaluation.runs import make_run
from tests.experiments.report.conftest import ROWS
from tests.experiments.test_results import make_experiment
from tests.pages import PAGES, blocks, shell_lines, typed
from tests.prediction.models import LABELS, TEXT_AUDIO, tiny_model
from tests.serving import fake_speech
from tests.serving.running import running
from tests.shell import NEEDS_BASH, Shell
from tests.training.conftest import LABELS as TINY
from tests.training.conftest import make_builder, make_recipe

pytestmark = [pytest.mark.slow, NEEDS_BASH]

CARD = "src/sdt/models/bundled/english-text-audio-small/README.md"
GUIDES = (
    *("docs/get-started/engineer.md", "docs/prediction.md", "docs/comparing.md", "docs/reports.md"),
    *("docs/recordings.md", "docs/formats.md", CARD),
)
ELSEWHERE = r"^export onnx|--cluster|^corpus import|^train |^serve"
"""Commands that other tests run: exports, clusters, imports, training, services."""
OTHERS = ("python", "pip", "curl")
"""Programs that do nothing here: tests/benchmarks starts the first, and tests below send requests."""

RESAMPLED = ("compare", "analyse", "robustness", "report")
"""Commands whose bootstrap takes seconds."""


def named(builder: CorpusBuilder) -> CorpusBuilder:
    """The tiny corpus with emotions as its labels, which the pages name."""
    names = dict(zip(TINY, LABELS, strict=True))
    talks = [
        Conversation(c.id, tuple(dataclasses.replace(u, label=names[u.label or ""]) for u in c.utterances))
        for c in builder.conversations
    ]
    return dataclasses.replace(builder, labels=LABELS, conversations=talks)


def make_runs(folder: Path, corpus: Corpus) -> None:
    """The runs that the pages of comparisons and reports name, mostly untrained, and an experiment."""
    for group, name in enumerate(("full", "no-visual", "meld-both", "meld-text", "full-dropout", "full-2025")):
        for seed in range(2):
            run = folder / (f"{name}-{seed}" if name.startswith("meld") else f"{name}/seed-{seed}")
            make_run(run, corpus, 2 * group + seed, learning_rate=1e-3 + group * 1e-5)
            for file, text in (("scores.json", '"seed": {}'), ("recipe.yaml", "seed: {}")):  # of all groups the same
                path = run / file
                path.write_text(path.read_text().replace(text.format(2 * group + seed), text.format(seed)))
    make_run(folder / "puppets", corpus, 0)
    make_experiment(corpus, folder / "puppets-ablations", ROWS[:2], seeds=(0,))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages name."""
    folder = tmp_path_factory.mktemp("guides")
    tiny_model(TEXT_AUDIO).save_pretrained(folder / "runs" / "mine")
    corpus = write_corpus(named(make_builder(test=7)), folder / "tiny")
    make_runs(folder / "runs", corpus)
    (folder / "recipes").mkdir()
    (folder / "recipes" / "puppets.yaml").write_text(dump_recipe(make_recipe(corpus.folder)))
    lines = (folder / "runs/full/seed-0/predictions/test.jsonl").read_text().splitlines()
    rows = [",".join(map(str, (r["conversation"], r["utterance"], r["emotion"]))) for r in map(json.loads, lines)]
    (folder / "mine.csv").write_text("\n".join(["conversation,utterance,emotion", *rows]) + "\n")
    (folder / "chat.txt").write_text(files.CHAT)
    for name in ("talk.srt", "transcripts/talk.srt", "episode.srt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(files.SRT)
    for name in ("talk.mp4", "episode.mp4", "talk.wav", "clips/talk.wav", "meeting.mp3", "oh.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_clip(folder / name, noise(3.2))
    write_clip(folder / "call.wav", noise(3.2, channels=2), layout="stereo")
    (folder / "talk.txt").write_bytes("王：你好，我得到那份工作了！\n李：太好了，恭喜你！\n".encode("gb18030"))
    for name in ("talk.eaf", "talk.TextGrid", "talk.jsonl", "all.jsonl", "talks.jsonl"):
        assert main(["convert", str(folder / "talk.srt"), str(folder / name)]) == 0
    return folder


@pytest.fixture
def _recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name of a speech recogniser is that of the tests' own, which needs no weights."""
    monkeypatch.setattr(recording, "diarize", diarize)  # its `load` replaces both, this puts them back
    monkeypatch.setattr(recording.RecordingTranscriber, "_windows", recording.RecordingTranscriber._windows)
    monkeypatch.setitem(TRANSCRIBERS.builtin, "whisper", Engine(fake_speech.load))


@pytest.mark.usefixtures("_recogniser")
@pytest.mark.parametrize("page", GUIDES)
def test_a_guide(page: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    namespace: dict[str, object] = {"__name__": page}
    ran = {"python": 0, "sdt": 0}

    def sdt(words: list[str]) -> int:
        if not re.search(ELSEWHERE, " ".join(words)):
            words += ["--draws", "200"] if words[0] in RESAMPLED else []
            assert main(words) == 0, f"$ sdt {shlex.join(words)}\n{capsys.readouterr()}"
            ran["sdt"] += 1
        return 0

    with Shell(sdt, OTHERS) as shell:
        for number, (kind, code) in enumerate(blocks(PAGES[page])):
            if kind == "python" and "onnxruntime" not in code:  # tests/models/test_onnx_export.py runs that one
                exec(compile(code, f"{page}, block {number}", "exec"), namespace)
                ran["python"] += 1
            shell.run(typed(kind, code))
    assert ran["python"] > 0
    assert ran["sdt"] > 0


@pytest.fixture(scope="module")
def port(place: Path) -> Iterator[int]:
    with running("english-text-audio-small", place / "temporary", "--decoders", "1") as service:
        yield service.port


def test_the_programs_of_the_service(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    programs = [code for kind, code in blocks(PAGES["docs/serving.md"]) if kind == "python"]
    assert len(programs) == 2
    for program in programs:
        exec(compile(program.replace(":8000", f":{port}"), "serving.md", "exec"), {})
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if line.startswith("Ann joy")], lines


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_requests_of_the_service(port: int, place: Path) -> None:
    pages = PAGES["docs/serving.md"] + PAGES["docs/get-started/engineer.md"]
    asked = [
        line
        for _, code in blocks(pages)
        for line in re.sub(r"\n(?=  )", " ", "\n".join(shell_lines(code))).split("\n")
        if line.startswith("curl ") and "sdt-token" not in line
    ]
    assert len(asked) >= 7
    for line in asked:
        command = shlex.split(line.replace(":8000", f":{port}").replace("  ", " "))
        done = subprocess.run([*command, "--silent"], cwd=place, capture_output=True, check=True, timeout=120)
        answer = json.loads(done.stdout)
        if "transcript=" in line or "media=" not in line:
            assert {one["emotion"] for one in answer["predictions"]}, line
        else:  # a service without a speech recogniser
            assert answer["error"]["code"] == "not_installed", line


def test_the_line_of_json_is_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = json.loads(next(code for kind, code in blocks(PAGES["docs/prediction.md"]) if kind == "json"))
    (tmp_path / "chat.txt").write_text("Ann: Go away!\n")
    assert main(["predict", str(tmp_path / "chat.txt"), "--format", "jsonl"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert list(written) == list(shown)
    assert written["probabilities"] == pytest.approx(shown["probabilities"], abs=0.01)
    assert (written["emotion"], written["weights"]) == (shown["emotion"], shown["weights"])
