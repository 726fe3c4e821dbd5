"""Generate the built-in corpus: conversations of puppets, to try every command with no data of your own.

OUT gets utterances.jsonl, audio.npy and visual.npy. Make a corpus folder of them with:

    sdt corpus import OUT/utterances.jsonl OUT/audio.npy OUT/visual.npy --text-encoder words:256 --output build/puppets

A score on it says that the program works, and nothing else.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("out", metavar="OUT", type=Path, help="folder for the files")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another corpus (default: %(default)s)")
    parser.add_argument("--conversations", type=int, default=400, help="how many (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it is there already")


def run(options: argparse.Namespace) -> None:
    """Generate, write, say what there is now."""
    from sdt.puppets.generate import generate
    from sdt.puppets.write import write

    puppets = generate(options.seed, options.conversations)
    write(puppets, options.out, overwrite=options.overwrite)
    size = sum(map(len, puppets.conversations))
    print(f"{options.out}: {len(puppets.conversations)} conversations, {size} utterances")
