"""Importers, which read annotation and feature files of several layouts.

Importers do not encode text and recordings; see `sdt.corpus.importing` for this step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sdt.corpus.importers.annotation import ANNOTATION
from sdt.corpus.importers.dailydialog import DAILYDIALOG
from sdt.corpus.importers.emorynlp import EMORYNLP
from sdt.corpus.importers.emorynlp_json import EMORYNLP_JSON
from sdt.corpus.importers.feature_tables import feature_files
from sdt.corpus.importers.goemotions import GOEMOTIONS
from sdt.corpus.importers.iemocap_files import IEMOCAP_FILES, IEMOCAP_FOLDER
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.m3ed import M3ED
from sdt.corpus.importers.meld import MELD
from sdt.corpus.importers.merbench import MERBENCH
from sdt.corpus.importers.mmsa import MMSA
from sdt.corpus.importers.mosi import MOSI
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.pickles import PICKLES
from sdt.corpus.importers.release_iemocap import IEMOCAP_RELEASE
from sdt.corpus.importers.release_meld import MELD_RELEASE
from sdt.corpus.importers.tables import TABLES
from sdt.corpus.importers.xed import XED
from sdt.errors import InputError, near_miss, quoted
from sdt.plugins import Registry

__all__ = ["IMPORTERS", "ImportFiles", "ImportOptions", "Imported", "Importer", "read", "select_importer"]

_BUILTIN = (
    *(IEMOCAP_RELEASE, MELD_RELEASE, MOSI, IEMOCAP_FOLDER),
    *(MELD, EMORYNLP, EMORYNLP_JSON, M3ED, IEMOCAP_FILES, DAILYDIALOG, MMSA, MERBENCH, ANNOTATION),
    *(GOEMOTIONS, XED, TABLES, PICKLES),
)
IMPORTERS = Registry("sdt.importers", Importer, {importer.name: importer for importer in _BUILTIN})
"""Every importer by name. The first one that recognises a file reads all of them; installed packages come last."""


def select_importer(
    files: Sequence[Path], options: ImportOptions, features: Mapping[str, Sequence[Path]]
) -> ImportFiles:
    """Select the importer of files by their content, or by the option `layout`.

    Args:
        files: Annotation files, feature files, pickles; or one folder: an original release of IEMOCAP or MELD, or
            CMU-MOSI.
        options: The options of the import.
        features: Modality to its files, for files whose names are not their modalities.

    Raises:
        InputError: A file does not exist, the layout is unknown, or no importer recognises a folder.
    """
    dataset = [path for path in files if path.is_dir() and ANNOTATION.recognises(path, options.encoding)]
    if len(files) == 1 and files[0].is_dir() and not dataset:
        return _detect_release(files[0], options, features)
    for path in (*files, *(path for paths in features.values() for path in paths), *options.take.values()):
        if not path.exists():
            raise InputError(f"{path}: file not found")
        if path.is_dir() and path not in dataset and not feature_files(path):
            raise InputError(f"{path}: is a folder without .npy files; name files, or only the folder of a release")
    if not files:
        raise InputError("no files given; name an annotation file or a pickle")
    importer = _importer_of_layout(options.layout) if options.layout else _detect_importer(files, options)
    annotations = tuple(path for path in files if importer.recognises(path, options.encoding))
    return ImportFiles(importer, tuple(files), annotations, features)


def _importer_of_layout(layout: str) -> Importer:
    known = {layout: name for name, one in IMPORTERS.builtin.items() for layout in _layouts(one) if not one.folder}
    name = known.get(layout, layout)
    if layout not in known and (layout in IMPORTERS.builtin or layout not in IMPORTERS):
        extensions = [name for name in IMPORTERS if name not in IMPORTERS.builtin]
        raise InputError(f"--layout {quoted(layout)} is unknown{near_miss(layout, [*known, *extensions])}")
    return IMPORTERS[name]


def _layouts(importer: Importer) -> tuple[str, ...]:
    return importer.layouts or (importer.name,)


def _detect_importer(files: Sequence[Path], options: ImportOptions) -> Importer:
    """The first importer that recognises a file, or else the importer of tables, which raises a precise error."""
    for name in IMPORTERS:
        importer = IMPORTERS[name]
        if not importer.folder and any(importer.recognises(path, options.encoding) for path in files):
            return importer
    return TABLES


def _detect_release(folder: Path, options: ImportOptions, features: Mapping[str, Sequence[Path]]) -> ImportFiles:
    if features or options.take or options.media:
        raise InputError(f"{folder}: --features, --take and --media do not apply to a folder; name files")
    for name in IMPORTERS:
        importer = IMPORTERS[name]
        if importer.folder and importer.recognises(folder, options.encoding):
            if options.layout not in (None, name):
                raise InputError(f"--layout {options.layout}: {folder} is a folder of the layout {quoted(name)}")
            return ImportFiles(importer, (folder,), (folder,))
    raise InputError(
        f"{folder}: is a folder, but neither IEMOCAP (Session1/dialog/EmoEvaluation ...) nor MELD.Raw "
        "(train_sent_emo.csv, train_splits ...) nor CMU-MOSI (transcripts.csv, text_train.csv ...) as distributed, "
        "nor a dataset of audformat, ConvoKit or Hugging Face; name files"
    )


def read(files: ImportFiles, options: ImportOptions) -> Imported:
    """Read files with the importer that `select_importer` selected.

    Raises:
        InputError: A file is damaged or contradicts another one; the message names it.
    """
    if options.take and not files.importer.containers:
        raise InputError(f"--take {next(iter(options.take))}=...: applies to pickles only; use --features")
    if files.features and files.importer.containers:
        raise InputError(
            f"--features {next(iter(files.features))}=...: pickles name their modalities; if two of them contain the "
            "same modality, choose with --take MODALITY=FILE"
        )
    imported = files.importer.read(files, options)
    named = [*files.paths, *(path for paths in files.features.values() for path in paths), *options.take.values()]
    return replace(imported, sources=imported.sources or named)
