"""How emotions lie in the spaces before and after fusion: a picture by t-SNE, and numbers that do not depend on it.

For each modality the features that its encoder made and H_m, what the model has gathered before fusion; and F after
fusion. Colours are the annotated emotions. A picture by t-SNE alone proves nothing, so that for every space there are
also the mean silhouette and how many of an utterance's nearest neighbours have its emotion, measured in the space
itself.

  sdt representations runs/puppets --output build/spaces
  sdt representations runs/puppets/model --corpus build/puppets --split dev --output build/spaces
  sdt representations runs/mine --code my_model.py:MyModel --output build/spaces
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import add_code_option, count, use_code
from sdt.errors import printable

if TYPE_CHECKING:
    from sdt.analysis.explanation.embeddings import Embeddings

FILES = ("representations.json", "representations.csv", "representations.png")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", help="a run, a model folder, a model in the box, or a hub id")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="the corpus; default: the one the run used")
    parser.add_argument("--split", default="test", metavar="NAME", help="train, dev or test; default: test")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where the files go")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier ones in --output")
    parser.add_argument("--seed", type=_seed, default=0, metavar="S", help="of t-SNE and of the draw; default: 0")
    parser.add_argument(
        "--at-most",
        type=count,
        default=3000,
        metavar="N",
        help="draw so many utterances if there are more; default: 3000",
    )
    add_code_option(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")


def run(options: argparse.Namespace) -> int | None:
    """Run the model, lay out its spaces, write, print."""
    from sdt.analysis.explanation.embeddings import embed, spaces
    from sdt.cli.models import corpus_for, finished_model
    from sdt.cli.progress import bar
    from sdt.device import choose_device
    from sdt.files import check_folder
    from sdt.models.base import Model

    use_code(options)
    check_folder(options.output, FILES.__contains__, "representations", overwrite=options.overwrite)
    folder, device = finished_model(options.model), choose_device(options.device)
    corpus = corpus_for(options.model, options.corpus)
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
    _write(found, title, options)  # first, since what reads the table may stop reading
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
