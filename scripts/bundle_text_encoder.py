"""Put the text encoder of a model into its folder, so that the model needs no other package.

    python scripts/bundle_text_encoder.py MODEL OUTPUT

OUTPUT is a copy of MODEL whose text encoder is in the folder `MODALITY-encoder`, in int8 (see
`sdt.encoders.int8_weights`); adapters are merged. Weights that are in int8 already, as `sdt features finetune-text
--int8` writes them, are copied, so that the model reads the features that it was trained on. Then the ONNX graphs are
written. The bundled model in the repository was made by this script. Audio features of published tables are named after
the encoder that computes them from new recordings.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from pathlib import Path

from safetensors.torch import save as to_bytes

from sdt.encoders.encoder import STAND_INS
from sdt.encoders.int8_weights import is_int8, quantise
from sdt.encoders.pretrained import HASH_DIGITS, weights_sha256
from sdt.encoders.text_model import RECORD, find_text_model, is_text_model_name
from sdt.models.base import Model
from sdt.models.graphs import write_graphs

WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"


def bundle_encoder(name: str, base: Path, folder: Path) -> str:
    """Write an encoder with merged adapters in int8; returns its name."""
    text_model = find_text_model(name, base)
    source, adapter = text_model.folder, text_model.adapter
    folder.mkdir()
    for file in ("config.json", "tokenizer_config.json"):
        shutil.copy(source / file, folder)
    tokenizer = json.loads((source / TOKENIZER).read_text(encoding="utf-8"))
    # On one line it is a third smaller.
    (folder / TOKENIZER).write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    if (record := (adapter or source) / RECORD).is_file():
        shutil.copy(record, folder)
    if adapter is None and is_int8(source):
        shutil.copy(source / WEIGHTS, folder)
    else:
        _, model = text_model.load()
        (folder / WEIGHTS).write_bytes(to_bytes(quantise(model.state_dict()), {"format": "pt"}))
    return f"{folder.name}@{weights_sha256(folder)[:HASH_DIGITS]}:{text_model.pooling}"


def main() -> None:
    """Copy the model and bundle its text encoders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    model = Model.from_pretrained(options.model)
    options.output.mkdir(parents=True)
    encoders = dict(model.config.encoders)
    for modality, name in encoders.items():
        encoder, bar, steps = name.partition("|")
        # Published tables are not computed from new recordings; the encoder that stands in for theirs is.
        encoders[modality] = f"{STAND_INS.get(encoder, encoder)}{bar}{steps}"
        if is_text_model_name(encoder, options.model):
            bundled = bundle_encoder(encoder, options.model, options.output / f"{modality}-encoder")
            encoders[modality] = f"{bundled}{bar}{steps}"
    model.config = dataclasses.replace(model.config, encoders=encoders)
    values = json.loads((options.model / "config.json").read_text(encoding="utf-8"))
    values["encoders"] = encoders
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    (options.output / "config.json").write_text(text, encoding="utf-8")
    for file in ("model.safetensors", "README.md"):
        shutil.copy(options.model / file, options.output)
    for note in write_graphs(model, options.output):
        print(f"note: {note}")


if __name__ == "__main__":
    main()
