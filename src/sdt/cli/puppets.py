"""Generate the built-in corpus of puppet conversations, so that every command can be tried without data.

Writes utterances.jsonl to OUT and, for each conversation, a recording (video, audio or both) and subtitles. Needs the
extra `media`. Create a corpus folder from it with:

    sdt corpus import OUT/utterances.jsonl --text-encoder minilm --audio-encoder prosody --visual-encoder faces:fps=2
        --normalise audio=corpus --normalise visual=corpus --output build/puppets

Scores on this corpus only show that the program works.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sdt.cli.exit_codes import exit_code
from sdt.puppets import CONVERSATIONS


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to create")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the corpus; default: %(default)s")
    parser.add_argument(
        "--conversations",
        type=int,
        default=CONVERSATIONS,
        metavar="N",
        help="the number of conversations; default: %(default)s",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")


def run(options: argparse.Namespace) -> int | None:
    """Generate, record, and print the size."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from sdt.cores import usable_cores
    from sdt.puppets.generate import generate
    from sdt.puppets.write import write

    scenes = generate(options.seed, options.conversations)
    console = Console(stderr=True)
    columns = (TextColumn("recording"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}"))
    bars = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)
    try:
        with bars:
            task = bars.add_task("", total=None, rate="")

            def show(done: float, total: float) -> None:
                elapsed = bars.tasks[task].elapsed or 1.0
                bars.update(task, completed=done, total=total, rate=f"{done / elapsed:.0f} s of film per s")

            write(scenes, options.out, overwrite=options.overwrite, processes=usable_cores(), progress=show)
    except KeyboardInterrupt as stopped:
        print(f"sdt: stopped; {options.out} is unchanged", file=sys.stderr)
        return exit_code(stopped)
    size = sum(len(scene.conversation) for scene in scenes)
    minutes = sum(scene.seconds for scene in scenes) / 60
    print(f"{options.out}: {len(scenes)} conversations, {size} utterances, {minutes:.0f} minutes")
    return None
