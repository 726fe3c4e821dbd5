"""Generate the built-in corpus: recorded conversations of puppets, to try every command with no data of your own.

OUT gets utterances.jsonl and, for each conversation, a film with sound (or one of the two) and subtitles. It needs the
extra `media`. Make a corpus folder of it with:

    sdt corpus import OUT/utterances.jsonl --text-encoder minilm --audio-encoder prosody --visual-encoder faces:fps=2
        --normalise audio=corpus --normalise visual=corpus --output build/puppets

A score on it says that the program works, and nothing else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sdt.cli.exit_codes import exit_code
from sdt.puppets import CONVERSATIONS


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("out", metavar="OUT", type=Path, help="folder for the files")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another corpus (default: %(default)s)")
    parser.add_argument(
        "--conversations", type=int, default=CONVERSATIONS, metavar="N", help="how many (default: %(default)s)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it is there already")


def run(options: argparse.Namespace) -> int | None:
    """Generate, record, say what there is now."""
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
        print(f"sdt: stopped; {options.out} is as it was", file=sys.stderr)
        return exit_code(stopped)
    size = sum(len(scene.conversation) for scene in scenes)
    minutes = sum(scene.seconds for scene in scenes) / 60
    print(f"{options.out}: {len(scenes)} conversations, {size} utterances, {minutes:.0f} minutes")
    return None
