"""Fine-tune the text encoder on the utterances and labels of a corpus' train split.

Each utterance is read alone, or with its context: `--context 5,2` adds the five utterances before it and the two after
it. The epoch is selected on dev; test is scored once. Then use the encoder to import or extract:

    sdt features finetune-text meld --output minilm-meld
    sdt corpus import {train,dev,test}_sent_emo.csv --text-encoder minilm-meld --output meld-finetuned
    sdt features finetune-text meld --lora --output adapter       # used as: --text-encoder minilm+adapter
    sdt features finetune-text meld --context 5 --speaker-names --output in-context
    sdt features finetune-text meld --window 12 --tokens 320 --speaker-names --output in-windows
    sdt features finetune-text meld --also emorynlp goemotions --soft-labels --output of-three-corpora
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from sdt.cli.exit_codes import exit_code
from sdt.encoders.text_context import TextContext
from sdt.training.finetune_settings import FineTuning


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="a corpus folder whose utterances have text")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="the folder of the encoder")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="resume the run in the output folder, if there is one")
    again.add_argument("--overwrite", action="store_true", help="replace the output folder")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute (auto)")
    add, default = parser.add_argument, FineTuning()
    add(
        "--also",
        nargs="+",
        type=Path,
        default=[],
        metavar="CORPUS",
        help="corpora to learn at the same time, each with its own labels; dev then selects by the mean of all",
    )
    add("--encoder", default=default.encoder, metavar="NAME", help="`minilm`, or a Hugging Face model folder (minilm)")
    add(
        "--context",
        type=_context,
        default=(0, 0),
        metavar="K[,AFTER]",
        help="read the K utterances before, and the AFTER utterances after, too (0,0); the encoder then needs them",
    )
    add(
        "--window",
        type=int,
        metavar="N",
        help="instead of --context: read windows of N utterances, each in one pass for all of its utterances",
    )
    add("--speaker-names", action="store_true", help="with --context or --window: read the names of the speakers, too")
    add("--lora", action="store_true", help="train and save only a low-rank adapter (needs peft)")
    add("--rank", type=int, default=default.rank, metavar="N", help=f"the adapter's rank ({default.rank})")
    add("--alpha", type=int, default=default.alpha, metavar="N", help=f"the adapter's scale ({default.alpha})")
    add("--epochs", type=int, default=default.epochs, metavar="N", help=f"({default.epochs})")
    add("--batch", type=int, default=default.batch, metavar="N", help=f"utterances per batch ({default.batch})")
    add("--learning-rate", type=float, metavar="X", help="the peak learning rate (2e-5; with --lora 5e-4)")
    add(
        "--head-learning-rate",
        type=float,
        default=default.head_learning_rate,
        metavar="X",
        help=f"the peak learning rate of the linear classifier ({default.head_learning_rate})",
    )
    add(
        "--layer-decay",
        type=float,
        default=default.layer_decay,
        metavar="X",
        help=f"a layer's learning rate, relative to that of the layer above it ({default.layer_decay})",
    )
    add(
        "--warmup",
        type=float,
        default=default.warmup,
        metavar="X",
        help=f"warmup share of the steps ({default.warmup})",
    )
    add("--weight-decay", type=float, default=default.weight_decay, metavar="X", help=f"({default.weight_decay})")
    add("--dropout", type=float, default=default.dropout, metavar="X", help=f"({default.dropout})")
    add("--label-smoothing", type=float, default=default.label_smoothing, metavar="X", help="(0)")
    add("--class-weights", action="store_true", help="weigh the classes by the inverse of their frequency")
    add("--soft-labels", action="store_true", help="learn the shares of the labels of an utterance's annotators")
    add("--symbols", action="store_true", help="add tokens for emoji, emoticons and words in capitals")
    add("--int8", action="store_true", help="store the weights in int8, a quarter of the size")
    add("--clip", type=float, default=default.clip, metavar="X", help=f"the maximum gradient norm ({default.clip})")
    add(
        "--tokens", type=int, default=default.tokens, metavar="N", help=f"tokens per piece of a text ({default.tokens})"
    )
    add(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default=default.precision,
        help="bfloat16 is several times as fast on CPUs with AVX512-BF16 or AMX (auto: on GPUs, and on CPUs with AMX)",
    )
    add("--seed", type=int, default=default.seed, metavar="N", help=f"({default.seed})")


def _context(value: str) -> tuple[int, int]:
    """Parse `K` or `K,AFTER`."""
    before, _, after = value.partition(",")
    if not before.isdecimal() or not (after or "0").isdecimal():
        raise argparse.ArgumentTypeError(f"{value!r} is not K or K,AFTER, two numbers of utterances such as 5,2")
    return int(before), int(after or 0)


def run(options: argparse.Namespace) -> int | None:
    """Fine-tune, and print the encoder's own scores."""
    from rich.console import Console

    from sdt.corpus.store import Corpus
    from sdt.device import choose_device
    from sdt.errors import InputError
    from sdt.evaluation.table import classes_table, percent
    from sdt.training.display import Display
    from sdt.training.finetune import finetune
    from sdt.training.folder import scores_from_dict

    context = None
    if options.window is not None:
        if options.context != (0, 0):
            raise InputError("--window: cannot be combined with --context")
        context = TextContext.in_windows(options.window, speaker_names=options.speaker_names)
    elif options.context != (0, 0):
        before, after = options.context
        context = TextContext(before, after, options.speaker_names)
    elif options.speaker_names:
        raise InputError("--speaker-names: needs --context or --window, such as --context 5")
    settings = FineTuning(
        **{field.name: getattr(options, field.name) for field in fields(FineTuning) if field.name != "context"},
        context=context,
    )
    console = Console()
    output: Path = options.output
    try:
        record = finetune(
            Corpus.open(options.corpus),
            output,
            settings,
            also=[Corpus.open(folder) for folder in options.also],
            device=choose_device(options.device),
            resume=options.resume,
            overwrite=options.overwrite,
            display=Display(console),
        )
    except KeyboardInterrupt as stopped:
        print("sdt: stopped; add --resume to the command to resume after the last complete epoch", file=sys.stderr)
        return exit_code(stopped)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error}); then resume with --resume") from None
    several = bool(record["also"])
    for one in (record, *record["also"]):
        for split, of_split in one["scores"].items():
            scores = scores_from_dict(of_split)
            where = f"{one['corpus']['name']}, {split}" if several else split
            title = f"{where}: the encoder alone, epoch {record['epoch']}: weighted F1 {percent(scores.weighted_f1)}"
            console.print(classes_table(scores, title))
    name = f"{record['base']['encoder']}+{output}" if record["settings"]["lora"] else str(output)
    console.print(f"name of the encoder: {name}", markup=False, highlight=False, soft_wrap=True)
    return 0
