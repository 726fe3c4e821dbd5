"""Importer of MELD.Raw with unpacked archives: the annotation, and one mp4 file per utterance.

    train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv          in the folder, or next to the clips
    train_splits/, dev_splits_complete/, output_repeated_splits_test/ with diaD_uttU.mp4, up to two folders deep

The importer handles the defects of the release: train dia125_utt3 is corrupt, dev dia110_utt7 is missing, and the
folders of clips contain `._` files and `final_videos_test...` duplicates, which belong to no utterance.
"""

from __future__ import annotations

from pathlib import Path

from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.meld import read_meld
from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError
from sdt.media.clip import Clip, FindClip
from sdt.splits import SPLITS

CLIPS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
"""Split to the folder of its clips."""


def is_meld(folder: Path) -> bool:
    """Whether a folder is the release: it contains the unpacked clips of a split."""
    return any(_find(folder, name) for name in CLIPS.values())


def read_meld_release(folder: Path, options: ImportOptions) -> tuple[CorpusBuilder, FindClip, list[Path]]:
    """Read the annotation.

    Args:
        folder: See `is_meld`. Splits may be absent.
        options: The options of the import.

    Returns:
        The corpus without features, a function that finds recordings, and the annotation files.

    Raises:
        InputError: A split has clips but no annotation, or its annotation is damaged.
    """
    clips = {split: found for split, name in CLIPS.items() if (found := _find(folder, name))}
    annotations = {split: _find(folder, f"{split}_sent_emo.csv") for split in SPLITS}
    for split in clips:
        if annotations[split] is None:
            raise InputError(f"{clips[split]}: annotation not found; put {split}_sent_emo.csv into {folder}")
    files = [path for split, path in annotations.items() if path and split in clips]
    builder = read_meld(files, {}, options)
    absent = [split for split in SPLITS if split not in clips]
    builder.notes.insert(0, f"{folder}: MELD release: {', '.join(clips)}")
    if absent:
        builder.notes.append(
            f"{folder}: no clips of {', '.join(absent)} found ({', '.join(CLIPS[split] for split in absent)})"
        )

    def clip(conversation: str, utterance: str, _: str) -> Clip | None:
        split, _, dialogue = conversation.partition("_")
        return Clip(clips[split] / f"dia{dialogue}_utt{utterance}.mp4")

    return builder, clip, files


def _find(folder: Path, name: str) -> Path | None:
    """Find a file or folder by its name, in the folder or up to two levels deeper."""
    found = (path for pattern in (name, f"*/{name}", f"*/*/{name}") for path in sorted(folder.glob(pattern)))
    return next(found, None)


def import_meld_release(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import the release; see `read_meld_release`."""
    (folder,) = files.paths
    builder, clip, annotations = read_meld_release(folder, options)
    return Imported(MELD_RELEASE.name, builder, folder, annotations, clip=clip)


MELD_RELEASE = Importer(
    "meld-release",
    "the MELD.Raw release: annotation and clips",
    lambda folder, _: is_meld(folder),
    import_meld_release,
    folder=True,
    recordings="included",
)
