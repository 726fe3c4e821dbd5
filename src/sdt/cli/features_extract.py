"""Make features from words, sound and picture with named encoders.

SOURCE is a folder of clips (their names say conversation and utterance, as in dia1_utt0.mp4 or talk_3.wav), a
transcript or a folder of transcripts, or a corpus folder. Recordings of the last two are found with --media, as in
sdt predict. What cannot be encoded is missing, counted, and listed at the end.

A corpus becomes another corpus with the modalities added or replaced. Everything else becomes a folder with
utterances.jsonl and one .npz per modality, which `sdt corpus import FOLDER/*.jsonl FOLDER/*.npz` reads.

Finished utterances are kept in a cache, so that the same command goes on where it was interrupted. With --cluster the
machines of a Ray cluster encode them; they need the recordings and encoders in the same places. The features are the
same. Exit code 1: some utterances ended their workers again and again.

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

from sdt.cli.cluster import add_cluster_options, asked_cluster, check_cluster_options
from sdt.cli.options import add_encoding_option, count
from sdt.cli.stopping import FAILED, exit_code
from sdt.cores import usable_cores
from sdt.errors import InputError, printable
from sdt.files import check_writable

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
        help="a feature encoder (minilm, prosody, faces, ...), or MODALITY=NAME; repeat it for others",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the features are written")
    parser.add_argument("--overwrite", action="store_true", help="replace a folder that is there already")
    parser.add_argument("--media", type=Path, metavar="FILE_OR_FOLDER", help="the recording, or a folder of recordings")
    add_encoding_option(parser)
    parser.add_argument(
        "--jobs", type=count, metavar="N", help="utterances at a time (as many as there are processor cores)"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="where finished utterances are kept (~/.cache/sdt)"
    )
    add_cluster_options(parser, "chunks of utterances")


def run(options: argparse.Namespace) -> int | None:
    """Encode, write, and list what is missing."""
    from sdt.cluster.work import LostUnitsError

    output: Path = options.output
    check_cluster_options(options)
    if options.cluster is not None and options.jobs is not None:
        raise InputError("--jobs: is for this machine alone; with --cluster, say --workers")
    # Said before the work; atomic_folder would say it after.
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder")
    if output.is_dir() and any(output.iterdir()) and not options.overwrite:
        raise InputError(f"{output}: exists already; give another folder, or --overwrite to replace it")
    check_writable(output)
    try:
        _extract(options)
    except KeyboardInterrupt as stopped:
        print("sdt: stopped; the same command goes on with what is in the cache", file=sys.stderr)
        return exit_code(stopped)
    except LostUnitsError as error:
        print(f"sdt: {error} in the cache", file=sys.stderr)
        return FAILED
    return 0


def _extract(options: argparse.Namespace) -> None:
    from sdt.cli.progress import standard
    from sdt.corpus.builder import write_corpus
    from sdt.corpus.encoding import extract_features, summarise_problems, with_features, write_features
    from sdt.corpus.store import Corpus
    from sdt.encoders.cache import FeatureCache, default_cache
    from sdt.media.recordings import Recordings, find_recordings
    from sdt.prediction.inputs import read_input, recordings_of

    source: Path = options.source
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
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
            raise InputError(f"--encoder {encoder.name}: needs recordings; say where they are with --media")
        if encoder.licence_note:
            print(encoder.licence_note)
    cache = FeatureCache(options.cache or default_cache())
    with contextlib.closing(cache), asked_cluster(options) as cluster, standard() as bars:
        tasks = {encoder.name: bars.add_task(encoder.name, total=None) for encoder in encoders.values()}
        if cluster:
            from sdt.encoders.clustered import cluster_encoding, hash_recordings

            reading = bars.add_task("recordings", total=None, visible=bool(recordings.clips))
            modalities = {encoder.modality for encoder in encoders.values()}
            hash_recordings(
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
            cluster_encoding(cluster) if cluster else None,
        )
    if not any(table.present.any() for table in tables.values()):
        first = next(of[0] for of in problems.values() if of)
        raise InputError(f"{source}: not one utterance could be encoded; the first problem: {first}")
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
        InputError: Two encoders would make the same modality, or one is not known.
    """
    from sdt.encoders.encoder import feature_encoder

    encoders: dict[str, FeatureEncoder] = {}
    for name in names:
        said = re.fullmatch(r"([A-Za-z][A-Za-z0-9_]*)=(.+)", name)
        encoder = feature_encoder(said[2] if said else name)
        modality = said[1] if said else encoder.modality
        if modality in encoders:
            raise InputError(f"--encoder {name}: {modality} is made already; name it otherwise: --encoder NAME={name}")
        encoders[modality] = encoder
    return encoders
