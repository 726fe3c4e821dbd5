"""Small files, corpora and models under the names that the pages of the documentation give them.

Every function writes into the current folder.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdt.__main__ import main
from sdt.conversation import Annotation, Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.importers.emorynlp import LABELS as EMORYNLP
from sdt.corpus.importers.meld import LABELS as MELD
from sdt.corpus.importers.meld import PRAAT
from sdt.corpus.store import Corpus
from sdt.formats import Transcript, write_transcript
from tests.corpus.importers import layouts, test_emorynlp, test_meld
from tests.corpus.importers.test_label_files import GO, XED, dailydialog, iemocap, written
from tests.corpus.importers.test_mosi import write_mosi
from tests.corpus.importers.test_releases import write_iemocap, write_meld
from tests.encoders.clips import noise, write_clip
from tests.encoders.drawn import face, scene
from tests.encoders.tiny_bert import write_bert
from tests.evaluation.runs import make_run
from tests.pages import PAGES, blocks
from tests.prediction.models import TEXT_AUDIO, tiny_model
from tests.shared import ROOT
from tests.training.conftest import make_builder

HERE = Path()
CHAT = "Ann: I got the job!\nBen: You are kidding, that is wonderful!\nAnn: I am scared to death.\n"
SRT = "1\n00:00:00,000 --> 00:00:01,500\nANN: Hello there!\n\n2\n00:00:01,600 --> 00:00:03,000\nBEN: Not now.\n"
SPLITS = {"train": 4, "dev": 2, "test": 2}
"""Conversations of corpora that are made here."""
SAYINGS = ("I never said that I would {}.", "Will you {}?", "They {} all day long.")
VERBS = ("sing", "wait", "dance", "cook", "leave", "read", "sleep", "paint", "drive", "swim", "write", "laugh")


def repository() -> None:
    """What the pages take from the repository: recipes, packaged models, and a small part of the everyday lines."""
    for name in ("recipes", "src"):
        (HERE / name).symlink_to(ROOT / name)
    lines = (ROOT / "data/everyday.csv").read_text(encoding="utf-8").splitlines()
    few = [line for split in ("train", "dev", "test") for line in [one for one in lines if f",{split}," in one][:9]]
    written(HERE, {"data/everyday.csv": "\n".join([lines[0], *few]) + "\n"})


def talks() -> None:
    """Transcripts, two of them with a recording."""
    written(HERE, {"chat.txt": CHAT, "talk.srt": SRT, "new.srt": SRT, "day.txt": CHAT * 9})
    assert main(["convert", "chat.txt", "day.csv"]) == 0
    for name in ("talk.mp4", "new.wav"):
        write_clip(HERE / name, noise(3.2))


def mine() -> None:
    """`runs/mine`, a model of text and sound that was not trained."""
    tiny_model(TEXT_AUDIO).save_pretrained(HERE / "runs/mine")


def conversations(name: str, speakers: str = "{speaker}") -> CorpusBuilder:
    """A small corpus with the modalities text, audio and visual."""
    made = make_builder(*SPLITS.values())
    names = {c.id: f"scene{number:04d}" for number, c in enumerate(made.conversations)}
    words, voice = made.features["words"], made.features["voice"]
    return dataclasses.replace(
        made,
        name=name,
        conversations=[
            Conversation(
                names[c.id],
                tuple(
                    dataclasses.replace(u, speaker=speakers.format(speaker=u.speaker, conversation=c.id))
                    for u in c.utterances
                ),
            )
            for c in made.conversations
        ],
        splits={split: [names[id_] for id_ in ids] for split, ids in made.splits.items()},
        features={"text": dataclasses.replace(words, encoder="words:6"), "audio": voice, "visual": words},
    )


def puppets() -> None:
    """`build/puppets`, and a run on it that was not trained."""
    make_run(HERE / "runs/puppets", write_corpus(conversations("puppets"), HERE / "build/puppets"), 0)


def interviews() -> None:
    """`build/interviews`, in which nobody speaks in two conversations."""
    write_corpus(conversations("interviews", "{speaker} of {conversation}"), HERE / "build/interviews")


def trained() -> None:
    """`runs/mine` is a run on `build/puppets` that was not trained, and holds three more."""
    corpus = Corpus.open(HERE / "build/puppets")
    for folder in ("mine", "mine/seed-0", "mine/seed-1", "mine/seed-2"):
        make_run(HERE / "runs" / folder, corpus, int(folder[-1]) if folder[-1].isdigit() else 0)


def own_model() -> None:
    """The file of docs/baselines.md with a model of one's own, and a run of it."""
    code = next(code for kind, code in blocks(PAGES["docs/baselines.md"]) if kind == "python")
    written(HERE, {"my_model.py": code})
    settings = ["--model", "my_model.py:MeanContext", "--training.epochs", "1", "--no-onnx"]
    assert main(["train", "recipes/puppets.yaml", *settings, "--output", "runs/mean-context"]) == 0


def calls() -> None:
    """The table of docs/features.md for several calls, with films."""
    table = next(code for _, code in blocks(PAGES["docs/features.md"]) if code.startswith("conversation,utterance"))
    head, *rows = table.splitlines()
    lines = [row.replace("call-17", f"call-{number}") for number in range(4) for row in rows]
    written(HERE, {"calls.csv": "\n".join([head, *lines]) + "\n"})
    for number in range(4):
        pictures = [scene((face(100), 30, 60))] * 18
        write_clip(HERE / f"call-{number}.mp4", noise(4.5, seed=number), pictures=pictures, per_second=4)


def clips() -> None:
    """Recordings of single utterances in `clips`, and a table of some of them."""
    for name in ("dia0_utt0", "dia0_utt1", "dia1_utt0"):
        (HERE / "clips").mkdir(exist_ok=True)
        write_clip(HERE / "clips" / f"{name}.wav", noise(0.6))
    head, *rows = (HERE / "train_sent_emo.csv").read_text(encoding="utf-8").splitlines()
    dialogue = head.split(",").index("Dialogue_ID")
    one = [row for row in rows if next(csv.reader([row]))[dialogue] == "1"]
    written(HERE, {"dialogue1.csv": "\n".join([head, *one]) + "\n"})


def sentences(labels: Sequence[str], first: int) -> list[list[tuple[str, str]]]:
    """Conversations of three utterances, each as text and label; `first` tells those of one split from another's."""
    numbers = itertools.count(7 * first)
    return [
        [(saying.format(VERBS[(number + place) % len(VERBS)]), labels[(number + place) % len(labels)])
         for place, saying in enumerate(SAYINGS)]
        for number in itertools.islice(numbers, SPLITS["train"] if first == 0 else SPLITS["dev"])
    ]  # fmt: skip


def meld() -> None:
    """The three tables of MELD with those of audio measurements, under both names that the pages give them."""
    for first, split in enumerate(SPLITS):
        lines = [
            (dialogue, place, "Ann" if place % 2 else "Ben", label, text)
            for dialogue, talk in enumerate(sentences(MELD, first))
            for place, (text, label) in enumerate(talk)
        ]
        test_meld.annotation(HERE, split, lines)
        random = np.random.default_rng(first)
        rows = {f"dia{line[0]}_utt{line[1]}.wav": random.normal(size=len(PRAAT)).tolist() for line in lines[1:]}
        test_meld.table(HERE / f"{split}_audio.csv", rows, ["filename", *PRAAT])
        shutil.copy(HERE / f"{split}_audio.csv", HERE / f"meld_{split}_audio_features.csv")


def emorynlp(folder: str = ".") -> None:
    """The three tables of EmoryNLP."""
    (HERE / folder).mkdir(exist_ok=True)
    for first, split in enumerate(SPLITS):
        lines = [
            (text, f"['{'Cy' if place % 2 else 'Di'}']", label.capitalize(), scene, place, 1, first + 1)
            for scene, talk in enumerate(sentences(EMORYNLP[::-1], first + 3))
            for place, (text, label) in enumerate(talk)
        ]
        test_emorynlp.annotation(HERE / folder, split, lines)


def emorynlp_folder() -> None:
    emorynlp("emorynlp")


def single_texts() -> None:
    """GoEmotions and XED, as docs/corpora.md and docs/results.md name their files."""
    comments = {f"goemotions/{split}.tsv": GO for split in SPLITS}
    written(HERE, comments | XED | {f"xed/{name}": text for name, text in XED.items()})


def mosi() -> None:
    """The folder `mosi`: ten videos of two utterances."""
    transcripts = [(f"v{number // 2}_{number}", f"SAYING {number}", "1", str(number % 2)) for number in range(20)]
    write_mosi(HERE / "mosi", transcripts, {"train": range(16), "test": range(16, 20)})


def annotated() -> None:
    """A database of audformat with two raters, and files of single annotators."""
    talks = [
        Conversation(
            f"talk{number}",
            tuple(
                Utterance(
                    str(n), speaker, "Hi!", label, 2.0 * n, 2.0 * n + 1,
                    annotations=(Annotation("ann", label), Annotation("ben", "joy")),
                )
                for n, (speaker, label) in enumerate((("Cy", "joy"), ("Di", "anger"), ("Cy", "joy")))
            ),
        )
        for number in range(6)
    ]  # fmt: skip
    clips = {(c.id, u.id): HERE / "audformat-database" / f"{c.id}.wav" for c in talks for u in c.utterances}
    write_transcript(HERE / "audformat-database", Transcript(talks, clips), "audformat")
    for one in talks:
        write_clip(HERE / "audformat-database" / f"{one.id}.wav", noise(5.5))
        alone = dataclasses.replace(
            one, utterances=tuple(dataclasses.replace(u, annotations=()) for u in one.utterances)
        )
        write_transcript(HERE / f"{one.id}.eaf", Transcript([alone]))
        for name in ("ann", "ben"):
            (HERE / name).mkdir(exist_ok=True)
            write_transcript(HERE / name / f"{one.id}.jsonl", Transcript([alone]))
    for name in ("ann.jsonl", "ben.jsonl", "cleo.csv"):
        write_transcript(HERE / name, Transcript([alone]))


def other_corpora() -> None:
    """The files of other corpora and of published systems that docs/corpora.md names."""
    written(HERE, iemocap() | dailydialog())
    layouts.write(HERE / "iemocap_features_roberta.pkl", layouts.cosmic_iemocap())
    layouts.write(HERE / "IEMOCAP_features.pkl", layouts.mmgcn_iemocap())


def releases() -> None:
    """IEMOCAP and MELD as distributed."""
    write_iemocap(HERE)
    write_meld(HERE)


def bert(folder: str = "encoder") -> None:
    """A text encoder of eleven words, in place of a published one."""
    write_bert(Path(folder), positions=400)


def minilm() -> None:
    """A text encoder in place of the packaged one, which takes seconds to tune."""
    bert("minilm")
    written(HERE, {"minilm/1_Pooling/config.json": '{"pooling_mode_mean_tokens": true}'})


def roberta() -> None:
    """The folder of docs/features.md for an encoder from elsewhere."""
    bert(str(Path.home() / "models/roberta-large"))
