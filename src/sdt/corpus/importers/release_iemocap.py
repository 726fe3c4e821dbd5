"""IEMOCAP_full_release: five sessions of two actors, as distributed.

    SessionN/dialog/EmoEvaluation/DIALOG.txt     times and the emotion that most annotators saw
    SessionN/dialog/transcriptions/DIALOG.txt    words
    SessionN/dialog/avi/DivX/DIALOG.avi          both actors side by side
    SessionN/sentences/wav/DIALOG/UTTERANCE.wav

The sixth letter of a dialog's id says who wears the markers, the first letter after its last `_` who speaks. Who wears
the markers sits in the left half of the picture. Six emotions are labels, as is usual; an utterance of another one, or
of none that most annotators agree on, is context without a label.
"""

from __future__ import annotations

import re
from pathlib import Path

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError
from sdt.formats.csv_lines import read_text
from sdt.media.clip import Clip, FindClip
from sdt.speakers import Speakers
from sdt.splits import has_usual_dev, hold_out, iemocap_session
from sdt.text import repair_windows1252

LABELS = {"hap": "happy", "sad": "sad", "neu": "neutral", "ang": "angry", "exc": "excited", "fru": "frustrated"}
"""The release's tags of the six labels, in the order of their numbers; others are fea, sur, dis, oth and xxx."""
LICENCE = "IEMOCAP's data use agreement: for research, not to be passed on"
TEST_SESSION = 5

_EVALUATION = re.compile(r"\[(\d+\.?\d*) - (\d+\.?\d*)\]\s+(Ses0[1-5][FM]_\w+_([FM])\w+)\s+([a-z]{3})\b")
_TRANSCRIPTION = re.compile(r"(Ses0[1-5][FM]_\w+)\s*\[[^\]]*\]\s*:(.*)")


def is_iemocap(folder: Path) -> bool:
    """Whether a folder is the release, or the folder around it."""
    return _root(folder) is not None


def read_iemocap(folder: Path, options: ImportOptions) -> tuple[CorpusBuilder, FindClip, list[Path]]:
    """Read the annotation.

    Args:
        folder: See `is_iemocap`. Sessions may be absent.
        options: The options of the import.

    Returns:
        The corpus without features, a function that finds recordings, and the annotation files.

    Raises:
        InputError: A file cannot be read or holds no utterance.
    """
    root = _root(folder)
    assert root is not None
    files = [
        path
        for path in sorted(root.glob("Session[1-5]/dialog/EmoEvaluation/Ses*.txt"))
        if not path.name.startswith(".")
    ]
    if not files:
        raise InputError(f"{root}: no file Session*/dialog/EmoEvaluation/Ses*.txt")
    conversations, transcriptions = [], []
    silent = 0
    for path in files:
        transcription = path.parent.parent / "transcriptions" / path.name
        words = _words(transcription) if transcription.is_file() else {}
        transcriptions += [transcription] if transcription.is_file() else []
        conversations.append(_conversation(path, words))
        silent += sum(utterance.text is None for utterance in conversations[-1].utterances)
    utterances = [utterance for conversation in conversations for utterance in conversation.utterances]
    unlabelled = sum(utterance.label is None for utterance in utterances)
    notes = [
        f"{root}: IEMOCAP as released: {len(conversations)} dialogs, {len(utterances)} utterances, of which "
        f"{unlabelled} have another emotion than the six labels or none agreed on: context without a label"
    ]
    if silent:
        notes.append(f"{root}: {silent} utterances have no words in dialog/transcriptions")
    sessions = {conversation.id: iemocap_session(conversation.id) for conversation in conversations}
    train = [id for id, session in sessions.items() if session != TEST_SESSION]
    splits = {"train": train, "test": [id for id, session in sessions.items() if session == TEST_SESSION]}
    if train:
        rule = options.dev or ("usual" if has_usual_dev(train) else "share")
        splits["train"], splits["dev"] = hold_out(train, rule, share=options.dev_share, seed=options.seed)
        notes.append(f"{root}: test is Session 5, dev ({rule}) {len(splits['dev'])} of the other dialogs")
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
    spoken = {utterance.id: utterance for utterance in utterances}
    places = {path.stem: path.parents[2] for path in files}  # the session's folder

    def clip(conversation: str, utterance: str, modality: str) -> Clip | None:
        session, said = places[conversation], spoken[utterance]
        if modality == "audio":
            return Clip(session / "sentences" / "wav" / conversation / f"{utterance}.wav")
        film = session / "dialog" / "avi" / "DivX" / f"{conversation}.avi"
        return Clip(film, said.start, said.end, "left" if said.speaker == conversation[5] else "right")

    return builder, clip, [*files, *transcriptions]


def _root(folder: Path) -> Path | None:
    choices = (folder, folder / "IEMOCAP_full_release")
    return next((root for root in choices if any(root.glob("Session[1-5]/dialog/EmoEvaluation"))), None)


def _conversation(path: Path, words: dict[str, str]) -> Conversation:
    """A dialog in the order in which its utterances begin."""
    utterances: dict[str, Utterance] = {}
    for line in read_text(path, encoding="latin-1").splitlines():
        if found := _EVALUATION.match(line.strip()):
            start, end, id, speaker, tag = found.groups()
            if id in utterances:
                raise InputError(f"{path}: utterance {id} stands there twice")
            utterances[id] = Utterance(id, speaker, words.get(id), LABELS.get(tag), float(start), float(end))
    if not utterances:
        raise InputError(f"{path}: no utterance in it; lines such as '[6.29 - 8.23] Ses01F_impro01_F000 neu [...]'")
    ordered = sorted(utterances.values(), key=lambda utterance: (utterance.start or 0.0, utterance.id))
    return Conversation(path.stem, tuple(ordered))


def _words(path: Path) -> dict[str, str]:
    found = (_TRANSCRIPTION.match(line.strip()) for line in read_text(path, encoding="latin-1").splitlines())
    return {match[1]: repair_windows1252(match[2].strip()) for match in found if match and match[2].strip()}


def import_iemocap(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import the release; see `read_iemocap`."""
    (folder,) = files.paths
    builder, clip, annotations = read_iemocap(folder, options)
    return Imported(IEMOCAP_RELEASE.name, builder, folder, annotations, clip=clip)


IEMOCAP_RELEASE = Importer(
    "iemocap-release",
    "the IEMOCAP release: annotation, words and recordings",
    lambda folder, _: is_iemocap(folder),
    import_iemocap,
    folder=True,
    recordings="included",
)
