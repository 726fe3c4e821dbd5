"""Extract features from text, audio and video with feature encoders.

SOURCE is a folder of clips (named by conversation and utterance, such as dia1_utt0.mp4 or talk_3.wav), a transcript or
a folder of transcripts, or a corpus folder. --media names the recordings of transcripts and corpora, as in sdt predict.
Utterances that cannot be encoded are missing, and are listed at the end.

The output for a corpus is a corpus with added or replaced modalities. For other sources it is a folder with
utterances.jsonl and one .npz per modality, which `sdt corpus import FOLDER/*.jsonl FOLDER/*.npz` reads.

Encoded utterances are cached, so that the same command resumes a stopped one. With --cluster a Ray cluster encodes; its
machines need the recordings and encoders under the same paths. Exit code 1: some utterances crashed their workers
repeatedly.

    sdt features extract talk.srt --media talk.mp4 --encoder minilm --encoder prosody --encoder faces --output features
    sdt features extract meld --encoder minilm+adapter --output meld-finetuned
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.exit_codes import FAILED, exit_code
from sdt.cli.options import (
    add_cluster_options,
    add_encoding_option,
    check_cluster_options,
    connected_cluster,
    positive_int,
)
from sdt.cli.paths import check_new_folder
from sdt.cores import usable_cores
from sdt.errors import InputError, printable

if TYPE_CHECKING:
    from sdt.encoders.encoder import FeatureEncoder


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="clips, a transcript, or a corpus folder")
    parser.add_argument(
        "--encoder",
        action="append",
        required=True,
        dest="encoders",
        metavar="NAME",
        help="a feature encoder (minilm, prosody, faces, ...), or MODALITY=NAME; can be repeated",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="the folder to create")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")
    parser.add_argument("--media", type=Path, metavar="FILE_OR_FOLDER", help="the recording, or a folder of recordings")
    add_encoding_option(parser)
    parser.add_argument(
        "--jobs", type=positive_int, metavar="N", help="utterances at a time; default: the number of CPU cores"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="the cache of encoded utterances; default: ~/.cache/sdt"
    )
    add_cluster_options(parser, "chunks of utterances")


def run(options: argparse.Namespace) -> int | None:
    """Encode, write, and list missing utterances."""
    from sdt.cluster.work import LostUnitsError

    check_cluster_options(options)
    if options.cluster is not None and options.jobs is not None:
        raise InputError("--jobs: not with --cluster; use --workers")
    check_new_folder(options.output, overwrite=options.overwrite)
    try:
        _extract(options)
    except KeyboardInterrupt as stopped:
        print("sdt: stopped; run the same command to resume with the cache", file=sys.stderr)
        return exit_code(stopped)
    except LostUnitsError as error:
        print(f"sdt: {error} in the cache", file=sys.stderr)
        return FAILED
    return 0


def _extract(options: argparse.Namespace) -> None:
    from sdt.cli.progress import progress_bars
    from sdt.corpus.builder import write_corpus
    from sdt.corpus.encoding import extract_features, summarise_problems, with_features, write_features
    from sdt.corpus.store import Corpus
    from sdt.encoders.cache import FeatureCache, default_cache
    from sdt.media.recordings import Recordings, find_recordings
    from sdt.prediction.inputs import read_input, recordings_of

    source: Path = options.source
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    corpus = Corpus.open(source) if (source / "corpus.json").is_file() else None
    if corpus is not None:
        conversations = list(corpus.conversations.values())
        recordings = find_recordings(conversations, {}, options.media) if options.media else Recordings()
    else:
        transcript = read_input(source, encoding=options.encoding)
        conversations = transcript.conversations
        for note in transcript.notes:
            print(printable(note))
        recordings = recordings_of(transcript, conversations, options.media)
    for note in recordings.notes:
        print(printable(note))
    encoders = named_encoders(options.encoders)
    for encoder in encoders.values():
        if encoder.modality != "text" and not recordings.clips:
            raise InputError(f"--encoder {encoder.name}: needs recordings; name them with --media")
        if encoder.licence_note:
            print(encoder.licence_note)
    cache = FeatureCache(options.cache or default_cache())
    with contextlib.closing(cache), connected_cluster(options) as cluster, progress_bars() as bars:
        tasks = {encoder.name: bars.add_task(encoder.name, total=None) for encoder in encoders.values()}
        if cluster:
            from sdt.encoders.clustered import encoding_on, know_recordings

            reading = bars.add_task("recordings", total=None, visible=bool(recordings.clips))
            modalities = {encoder.modality for encoder in encoders.values()}
            know_recordings(
                cluster,
                cache,
                conversations,
                recordings,
                sorted(modalities),
                lambda done, total: bars.update(reading, completed=done, total=total),
            )
        tables, problems = extract_features(
            conversations,
            encoders,
            recordings.clip,
            cache,
            lambda name, done, total: bars.update(tasks[name], completed=done, total=total),
            options.jobs or usable_cores(),
            encoding_on(cluster) if cluster else None,
        )
    if not any(table.present.any() for table in tables.values()):
        first = next(of[0] for of in problems.values() if of)
        raise InputError(f"{source}: no utterance could be encoded; the first problem: {first}")
    if corpus is not None:
        write_corpus(with_features(corpus, tables), options.output, overwrite=options.overwrite)
    else:
        write_features(options.output, conversations, tables, problems, overwrite=options.overwrite)
    for modality, table in tables.items():
        n, width = table.features.shape
        print(f"{modality}: {table.encoder}, {width} wide, {int(table.present.sum())} of {n} utterances")
    for note in summarise_problems(tables, problems):
        print(printable(note))
    print(f"written to {options.output}")


def named_encoders(names: Sequence[str]) -> Mapping[str, FeatureEncoder]:
    """Modality to encoder.

    Raises:
        InputError: Two encoders extract the same modality, or one is unknown.
    """
    from sdt.encoders.encoder import feature_encoder

    encoders: dict[str, FeatureEncoder] = {}
    for name in names:
        match = re.fullmatch(r"([A-Za-z][A-Za-z0-9_]*)=(.+)", name)
        encoder = feature_encoder(match[2] if match else name)
        modality = match[1] if match else encoder.modality
        if modality in encoders:
            raise InputError(f"--encoder {name}: duplicate modality {modality}; use --encoder MODALITY={name}")
        encoders[modality] = encoder
    return encoders
