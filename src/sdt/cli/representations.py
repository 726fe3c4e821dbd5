"""Plot the embeddings of utterances before and after fusion with t-SNE, and measure how well emotions separate.

The embeddings are the features of each modality, its representation H_m before fusion, and the representation F after
fusion; colours are the annotated emotions. Since t-SNE can mislead, the mean silhouette and the share of an utterance's
nearest neighbours with its emotion are computed for each embedding.

  sdt representations runs/puppets --output build/spaces
  sdt representations runs/puppets/model --corpus build/puppets --split dev --output build/spaces
  sdt representations runs/mine --code my_model.py:MyModel --output build/spaces
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import add_code_option, add_device_option, import_code, positive_int
from sdt.errors import printable

if TYPE_CHECKING:
    from sdt.analysis.explanation.embeddings import Embeddings

FILES = ("representations.json", "representations.csv", "representations.png")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", help="a run, a model folder, a bundled model, or a hub id")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="the corpus; default: the corpus of the run")
    parser.add_argument("--split", default="test", metavar="NAME", help="train, dev or test; default: test")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="the output folder")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier files in --output")
    parser.add_argument("--seed", type=_seed, default=0, metavar="S", help="seed of t-SNE and the sample; default: 0")
    parser.add_argument(
        "--at-most",
        type=positive_int,
        default=3000,
        metavar="N",
        help="use a random sample of N utterances if there are more; default: 3000",
    )
    add_code_option(parser)
    add_device_option(parser)


def run(options: argparse.Namespace) -> int | None:
    """Run the model, project its embeddings, write and print."""
    from sdt.analysis.explanation.embeddings import embed, spaces
    from sdt.cli.paths import model_path, open_corpus
    from sdt.cli.progress import bar
    from sdt.device import choose_device
    from sdt.files import check_folder
    from sdt.models.base import Model

    import_code(options)
    check_folder(options.output, FILES.__contains__, "representations", overwrite=options.overwrite)
    folder, device = model_path(options.model), choose_device(options.device)
    corpus = open_corpus(options.model, options.corpus)
    model = Model.from_pretrained(folder)
    with bar("spaces", spaces(model)) as progress:
        found = embed(
            model,
            corpus,
            corpus.split(options.split),
            seed=options.seed,
            at_most=options.at_most,
            device=device,
            progress=progress,
        )
    title = f"{corpus.name}, split {options.split}, {len(found.utterance_keys):,} utterances"
    _write(found, title, options)  # before printing, since the reader of a pipe may stop
    _print(found, title)
    print(f"written to {options.output}: {', '.join(FILES)}")
    return None


def _write(found: Embeddings, title: str, options: argparse.Namespace) -> None:
    from sdt.analysis.explanation.representations import write_representations
    from sdt.files import atomic_folder, write_text

    values = {"command": options.command_line, "model": options.model, "split": options.split, **found.to_dict()}
    with atomic_folder(options.output, overwrite=options.overwrite) as folder:
        write_text(folder / "representations.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")
        write_text(folder / "representations.csv", found.to_csv())
        write_representations(folder / "representations.png", found, title)


def _print(found: Embeddings, title: str) -> None:
    from rich.console import Console

    from sdt.analysis.explanation.representations import grid

    console = Console(highlight=False, markup=False)
    console.print(grid(found, title).rich())
    for note in found.notes:
        console.print(f"note: {printable(note)}", soft_wrap=True)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^32 - 1")
    return int(text)
