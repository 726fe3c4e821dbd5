"""Export an SDT model as an ONNX file, which needs only onnxruntime and NumPy.

The file accepts any number of utterances and conversations. Before it is written, its outputs are compared with
PyTorch's for conversations of many lengths; they differ by less than 0.0001. docs/prediction.md describes its inputs
and outputs.

  sdt export onnx runs/mine --output mine.onnx
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
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.onnx", help="the file to write")
    add_code_option(parser)


def run(options: argparse.Namespace) -> int | None:
    """Load, export and check."""
    if options.output.is_dir():
        raise InputError(f"{options.output}: is a folder; name a file")
    check_writable(options.output)
    import_code(options)

    from sdt.models.base import Model
    from sdt.prediction.onnx import export_onnx

    model = Model.from_pretrained(options.model)
    difference = export_onnx(model, options.output)
    size = options.output.stat().st_size / 2**20
    print(f"written to {options.output}: {size:.1f} MiB, maximum difference from PyTorch {difference:.1g}")
    return None
