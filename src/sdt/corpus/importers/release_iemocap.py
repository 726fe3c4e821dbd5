"""Importer of IEMOCAP_full_release as distributed: five sessions of two actors.

    SessionN/dialog/EmoEvaluation/DIALOG.txt     times, and the emotion that most annotators chose
    SessionN/dialog/transcriptions/DIALOG.txt    text
    SessionN/dialog/avi/DivX/DIALOG.avi          both actors side by side
    SessionN/sentences/wav/DIALOG/UTTERANCE.wav  the sound of one utterance

The sixth letter of a dialog id is the actor with the motion capture markers, who is in the left half of the picture;
the first letter after the last `_` of an utterance id is the speaker. Six emotions are labels, as usual in the field.
Utterances with another emotion, or without a majority of annotators, are context without a label.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError
from sdt.formats.parsing.csv_lines import read_text
from sdt.media.clip import Clip, FindClip
from sdt.speakers import Speakers
from sdt.splits import has_usual_dev, hold_out, iemocap_session
from sdt.text import repair_windows1252

LABELS = {"hap": "happy", "sad": "sad", "neu": "neutral", "ang": "angry", "exc": "excited", "fru": "frustrated"}
"""The tags of the release to labels, in the order of their numbers; other tags are fea, sur, dis, oth and xxx."""
LICENCE = "IEMOCAP's data use agreement: for research, not to be passed on"
TEST_SESSION = 5

_EVALUATION = re.compile(r"\[(\d+\.?\d*) - (\d+\.?\d*)\]\s+(Ses0[1-5][FM]_\w+_([FM])\w+)\s+([a-z]{3})\b")
_TRANSCRIPTION = re.compile(r"(Ses0[1-5][FM]_\w+)\s*\[[^\]]*\]\s*:(.*)")


def is_iemocap(folder: Path) -> bool:
    """Whether a folder is the release, or contains it."""
    return _root(folder) is not None


def read_iemocap(folder: Path, options: ImportOptions) -> tuple[CorpusBuilder, FindClip, list[Path]]:
    """Read the annotation.

    Args:
        folder: See `is_iemocap`. Sessions may be absent.
        options: The options of the import.

    Returns:
        The corpus without features, a function that finds recordings, and the annotation files.

    Raises:
        InputError: A file cannot be read or has no utterance.
    """
    root = _root(folder)
    assert root is not None
    files = [
        path
        for path in sorted(root.glob("Session[1-5]/dialog/EmoEvaluation/Ses*.txt"))
        if not path.name.startswith(".")
    ]
    if not files:
        raise InputError(f"{root}: no annotation found; expected Session*/dialog/EmoEvaluation/Ses*.txt")
    conversations, transcriptions = [], []
    silent = 0
    for path in files:
        transcription = path.parent.parent / "transcriptions" / path.name
        texts = read_texts(transcription) if transcription.is_file() else {}
        transcriptions += [transcription] if transcription.is_file() else []
        conversations.append(Conversation(path.stem, tuple(read_utterances(path, texts))))
        silent += sum(utterance.text is None for utterance in conversations[-1].utterances)
    utterances = [utterance for conversation in conversations for utterance in conversation.utterances]
    unlabelled = sum(utterance.label is None for utterance in utterances)
    notes = [
        f"{root}: IEMOCAP release: {len(conversations)} dialogs, {len(utterances)} utterances, of which {unlabelled} "
        "have no label: their emotion is not one of the six labels, or annotators did not agree"
    ]
    if silent:
        notes.append(f"{root}: {silent} utterances have no text in dialog/transcriptions")
    sessions = {conversation.id: iemocap_session(conversation.id) for conversation in conversations}
    train = [id for id, session in sessions.items() if session != TEST_SESSION]
    splits = {"train": train, "test": [id for id, session in sessions.items() if session == TEST_SESSION]}
    if train:
        rule = options.dev or ("usual" if has_usual_dev(train) else "share")
        splits["train"], splits["dev"] = hold_out(train, rule, share=options.dev_share, seed=options.seed)
        notes.append(f"{root}: test is Session 5, dev ({rule}) has {len(splits['dev'])} of the other dialogs")
    appearance = options.speakers == "appearance"
    builder = CorpusBuilder(
        name=options.name or "iemocap",
        conversations=conversations,
        labels=options.labels or tuple(LABELS.values()),
        splits={split: splits[split] for split in ("train", "dev", "test") if splits.get(split)},
        features={},
        speakers=Speakers("appearance", 2) if appearance else Speakers("identity", 2, ("M", "F")),
        licence=options.licence or LICENCE,
        notes=notes,
    )
    by_id = {utterance.id: utterance for utterance in utterances}
    sessions_of = {path.stem: path.parents[2] for path in files}

    def clip(conversation: str, utterance_id: str, modality: str) -> Clip | None:
        session, utterance = sessions_of[conversation], by_id[utterance_id]
        if modality == "audio":
            return Clip(session / "sentences" / "wav" / conversation / f"{utterance_id}.wav")
        video = session / "dialog" / "avi" / "DivX" / f"{conversation}.avi"
        half: Literal["left", "right"] = "left" if utterance.speaker == conversation[5] else "right"
        return Clip(video, utterance.start, utterance.end, half)

    return builder, clip, [*files, *transcriptions]


def _root(folder: Path) -> Path | None:
    choices = (folder, folder / "IEMOCAP_full_release")
    return next((root for root in choices if any(root.glob("Session[1-5]/dialog/EmoEvaluation"))), None)


def read_utterances(path: Path, texts: Mapping[str, str]) -> list[Utterance]:
    """Read the evaluation of a dialog.

    Args:
        path: The file in EmoEvaluation.
        texts: Utterance id to text.

    Returns:
        The utterances in the order of their start.

    Raises:
        InputError: The file has no utterance, or the same one twice.
    """
    utterances: dict[str, Utterance] = {}
    for line in read_text(path, encoding="latin-1").splitlines():
        if found := _EVALUATION.match(line.strip()):
            start, end, id, speaker, tag = found.groups()
            if id in utterances:
                raise InputError(f"{path}: utterance {id} occurs twice")
            utterances[id] = Utterance(id, speaker, texts.get(id), LABELS.get(tag), float(start), float(end))
    if not utterances:
        raise InputError(
            f"{path}: no utterance found; expected lines such as '[6.29 - 8.23] Ses01F_impro01_F000 neu [...]'"
        )
    return sorted(utterances.values(), key=lambda utterance: (utterance.start or 0.0, utterance.id))


def read_texts(path: Path) -> dict[str, str]:
    """Read a transcription: utterance id to text."""
    found = (_TRANSCRIPTION.match(line.strip()) for line in read_text(path, encoding="latin-1").splitlines())
    return {match[1]: repair_windows1252(match[2].strip()) for match in found if match and match[2].strip()}


def import_iemocap(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import the release; see `read_iemocap`."""
    (folder,) = files.paths
    builder, clip, annotations = read_iemocap(folder, options)
    return Imported(IEMOCAP_RELEASE.name, builder, folder, annotations, clip=clip)


IEMOCAP_RELEASE = Importer(
    "iemocap-release",
    "the IEMOCAP release: annotation, text and recordings",
    lambda folder, _: is_iemocap(folder),
    import_iemocap,
    folder=True,
    recordings="included",
)
