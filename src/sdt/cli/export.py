"""Export an SDT model to ONNX, which needs only onnxruntime and NumPy.

Without --output, the graphs are written into the folder of the model: sdt predict, sdt watch and sdt serve then run it
without PyTorch. sdt train does the same at its end. With --output, the model is written as a single file with its
weights.

The graphs accept any number of utterances and conversations. Before a file is written, its outputs are compared with
PyTorch's for conversations of many lengths; they differ by less than 0.0001. docs/prediction.md describes inputs and
outputs. Files of lower precision are smaller; int8 is also faster. The command prints what they change.

  sdt export onnx runs/mine
  sdt export onnx runs/mine --output mine.onnx
  sdt export onnx runs/mine --output mine.onnx --precision int8
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sdt.cli.options import add_code_option, import_code
from sdt.errors import InputError
from sdt.files import check_writable


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "model", metavar="MODEL", help="a model folder, a run folder, a hub id, or the name of a bundled model"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE.onnx", help="the file to write; default: graphs in the model's folder"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="the precision of the weights in the file; default: float32",
    )
    add_code_option(parser)


def run(options: argparse.Namespace) -> int | None:
    """Load, export and check."""
    if options.output is None:
        _into_folder(options)
        return None
    if options.output.is_dir():
        raise InputError(f"{options.output}: is a folder; name a file")
    check_writable(options.output)
    import_code(options)

    from sdt.models.base import Model
    from sdt.models.onnx_export import export_onnx

    model = Model.from_pretrained(options.model)
    difference = export_onnx(model, options.output, precision=options.precision)
    size = options.output.stat().st_size / 2**20
    of = "" if options.precision == "float32" else " of probabilities"
    print(f"written to {options.output}: {size:.1f} MiB, maximum difference{of} from PyTorch {difference:.1g}")
    return None


def _into_folder(options: argparse.Namespace) -> None:
    """Write the graphs of a model folder."""
    if options.precision != "float32":
        raise InputError(f"--precision {options.precision}: name a file with --output")
    import_code(options)

    from sdt.models.base import Model
    from sdt.models.graphs import write_graphs
    from sdt.models.hub import find_model

    folder = find_model(options.model)
    check_writable(folder / "sdt.onnx")
    notes = write_graphs(Model.from_pretrained(folder), folder)
    if not (folder / "sdt.onnx").is_file():
        raise InputError(notes[0] if notes else f"{folder}: the model is not SDT and cannot be exported to ONNX")
    print(f"written to {folder}: {', '.join(sorted(path.name for path in folder.glob('*.onnx')))}")
    for note in notes:
        print(f"note: {note}")
