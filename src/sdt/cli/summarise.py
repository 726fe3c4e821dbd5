"""Print the mean and standard deviation of the scores of runs that differ only in their seed.

sdt summarise runs/meld-seed1 runs/meld-seed2 runs/meld-seed3
sdt summarise runs/meld-seed* --split dev --markdown
sdt summarise runs/full
"""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="finished runs, or a folder of them")
    parser.add_argument("--split", default="test", metavar="NAME", help="dev or test; default: test")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")


def run(options: argparse.Namespace) -> int | None:
    """Read the scores of the runs, compare their settings, and print."""
    from rich.console import Console

    from sdt.escaping import markdown_paragraph
    from sdt.evaluation.seeds import markdown, rich_tables
    from sdt.training.group import Group

    group = Group.find(str(options.runs[0])) if len(options.runs) == 1 else Group.of("the runs", options.runs)
    summary = group.summary(options.split)
    seeds = ", ".join(map(str, group.seeds))
    how = (
        f"mean ± standard deviation over {group.size} runs (seeds {seeds})"
        if group.size > 1
        else f"1 run, seed {seeds}"
    )
    title = f"{group.values['corpus']}, split {options.split}: {how}"
    if group.caveat:
        title += f"; {group.caveat}"
    if group.unfinished:
        title += f"; skipped unfinished runs: {', '.join(map(str, group.unfinished))}"
    notes = [f"note: {remark.text}" for remark in group.remarks]
    if options.markdown:
        page = [markdown_paragraph(title), markdown(summary).rstrip(), *map(markdown_paragraph, notes)]
        print("\n\n".join(page))
        return None
    console = Console(highlight=False, markup=False)
    console.print(title, style="bold")
    for table in rich_tables(summary):
        console.print(table)
    for note in notes:
        console.print(note, soft_wrap=True)
    return None
