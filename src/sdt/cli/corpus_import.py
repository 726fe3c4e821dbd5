"""Create a corpus folder from files.

The layout of the files is detected and printed: published pickles of features; MELD's {train,dev,test}_sent_emo.csv;
EmoryNLP's CSV or JSON; annotation of IEMOCAP, DailyDialog, M3ED, MMSA or MERBench; the folder of CMU-MOSI; or one CSV,
JSON Lines or Parquet file of utterances (columns conversation, speaker, label and optionally utterance, order, split,
text, start, end, media) with one matrix of features per modality (.npy, .safetensors, .npz, CSV, Parquet, .pkl,
.joblib, .pt, or a folder with a .npy file per utterance).

    sdt corpus import utterances.csv audio.npy visual.npz --output my-corpus
    sdt corpus import utterances.jsonl --text-encoder minilm --output my-corpus
    sdt corpus import {train,dev,test}_sent_emo.csv --features audio=train.csv,dev.csv,test.csv --output meld

Encoders extract features from recordings: those in the column media, those of --media (a file that is split by start
and end, or a folder, as in sdt predict), or those of an original release, IEMOCAP_full_release or MELD.Raw.

    sdt corpus import utterances.csv --text-encoder minilm --audio-encoder prosody --visual-encoder faces --output mine
    sdt corpus import MELD.Raw --text-encoder minilm --audio-encoder prosody --visual-encoder faces --output meld
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.exit_codes import exit_code
from sdt.cli.options import add_encoding_option, positive_int
from sdt.cli.paths import check_new_folder
from sdt.cores import usable_cores
from sdt.errors import InputError, printable

if TYPE_CHECKING:
    from sdt.corpus.builder import CorpusBuilder
    from sdt.corpus.importers import ImportOptions
    from sdt.encoders.cache import FeatureCache


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="annotation, feature files, pickles, or a release folder",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="the corpus folder to create")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")
    parser.add_argument(
        "--features",
        action="append",
        default=[],
        metavar="NAME=FILE[,FILE...]",
        help="the feature files of one modality; repeat it for others",
    )
    parser.add_argument("--layout", metavar="NAME", help="the layout of the files; default: detected")
    parser.add_argument("--name", help="the name of the corpus")
    parser.add_argument("--labels", metavar="A,B,...", help="the label names, in the order of their numbers")
    parser.add_argument("--speakers", metavar="HOW", help="number speakers by `identity` or `appearance`")
    parser.add_argument(
        "--dev", metavar="HOW", help="the train conversations that become dev: `usual`, `session4` or `share`"
    )
    parser.add_argument(
        "--dev-share",
        type=float,
        default=0.1,
        metavar="X",
        help="the share of dev, and of test if there is no column split; default: 0.1",
    )
    parser.add_argument("--seed", type=int, default=0, help="the seed of these shares; default: 0")
    parser.add_argument(
        "--text-encoder", metavar="NAME", help="the text encoder: `minilm`, `words:256`, or a model folder"
    )
    parser.add_argument("--audio-encoder", metavar="NAME", help="the audio encoder, such as `prosody`")
    parser.add_argument("--visual-encoder", metavar="NAME", help="the video encoder, such as `faces`")
    parser.add_argument(
        "--media", type=Path, metavar="FILE_OR_FOLDER", help="the recordings, if the files have no column media"
    )
    add_encoding_option(parser, "the annotation")
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="the cache of encoded utterances; default: ~/.cache/sdt"
    )
    parser.add_argument(
        "--jobs",
        type=positive_int,
        metavar="N",
        help="utterances encoded at a time; default: the number of CPU cores",
    )
    parser.add_argument(
        "--normalise",
        action="append",
        default=[],
        metavar="NAME=HOW",
        help="z-score a modality within each `conversation` or over the `corpus`",
    )
    parser.add_argument(
        "--take",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="the file of a modality, if several contain it",
    )
    parser.add_argument(
        "--treat-as-missing",
        action="store_true",
        help="treat features with NaN or infinite values as missing; default: an error",
    )
    parser.add_argument(
        "--keep", metavar="COLUMN,...", help="further columns of a table of utterances, for cross-validation by groups"
    )
    parser.add_argument("--licence", metavar="TEXT", help="the licence of the data")


def run(options: argparse.Namespace) -> int | None:
    """Import the files, print notes, and show the corpus."""
    from sdt.cli.corpus_show import show
    from sdt.corpus.builder import write_corpus
    from sdt.corpus.importers import ImportOptions
    from sdt.encoders.cache import FeatureCache, default_cache

    output: Path = options.output
    check_new_folder(output, overwrite=options.overwrite)
    features: dict[str, list[Path]] = {}
    for modality, value in _pairs("--features", options.features):
        features.setdefault(modality, []).extend(Path(name) for name in value.split(","))
    settings = ImportOptions(
        layout=options.layout,
        name=options.name,
        dev=options.dev,
        dev_share=options.dev_share,
        seed=options.seed,
        labels=tuple(label.strip() for label in options.labels.split(",")) if options.labels is not None else None,
        speakers=options.speakers,
        text_encoder=options.text_encoder,
        audio_encoder=options.audio_encoder,
        visual_encoder=options.visual_encoder,
        media=options.media,
        encoding=options.encoding,
        normalise=dict(_pairs("--normalise", options.normalise)),  # type: ignore[arg-type] # ImportOptions checks it
        keep=tuple(name.strip() for name in options.keep.split(",")) if options.keep is not None else (),
        licence=options.licence,
        take={modality: Path(name) for modality, name in _pairs("--take", options.take)},
    )
    recorded = options.files[0].is_dir() or options.audio_encoder or options.visual_encoder
    cache = FeatureCache(options.cache or default_cache()) if recorded else None
    try:
        builder = _read(options, settings, features, cache)
    except KeyboardInterrupt as stopped:
        kept = "; run the same command to resume with the cache" if cache else ""
        print(f"sdt: stopped{kept}", file=sys.stderr)
        return exit_code(stopped)
    finally:
        if cache:
            cache.close()
    corpus = write_corpus(builder, output, overwrite=options.overwrite, treat_as_missing=options.treat_as_missing)
    for note in builder.notes:
        print(printable(note))
    show(corpus)
    print(f"written to {output}")
    return None


def _read(
    options: argparse.Namespace, settings: ImportOptions, features: dict[str, list[Path]], cache: FeatureCache | None
) -> CorpusBuilder:
    """Read and encode, with progress bars in a terminal."""
    from sdt.cli.progress import progress_bars
    from sdt.corpus.importing import import_corpus

    with progress_bars() as bars:
        task = bars.add_task("encoding text", total=None, visible=False)

        def show_bar(name: str, done: int, total: int) -> None:
            bars.update(task, description=name, completed=done, total=total, visible=True)

        return import_corpus(
            options.files,
            settings,
            features=features,
            progress=lambda done, total: show_bar("encoding text", done, total),
            cache=cache,
            report=show_bar,
            jobs=options.jobs or usable_cores(),
        )


def _pairs(option: str, values: Sequence[str]) -> list[tuple[str, str]]:
    """Split each NAME=VALUE."""
    pairs = []
    for value in values:
        name, equals, rest = value.partition("=")
        if not (name and equals and rest):
            raise InputError(f"{option} {value}: expected NAME=VALUE")
        pairs.append((name, rest))
    return pairs
