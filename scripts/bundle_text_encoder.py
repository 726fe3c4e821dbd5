"""Put the text encoder of a model into its folder, so that the model needs no other package.

    python scripts/bundle_text_encoder.py MODEL OUTPUT

OUTPUT is a copy of MODEL in which adapters are merged into the weights of the encoder. They are stored in float16, in
files of at most 25 MB, as `MODALITY-encoder`; the precision changes the probabilities of meld-text-audio-small by less
than 0.001. Then the ONNX graphs are written. The bundled model in the repository was made by this script.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from pathlib import Path

from safetensors.torch import save as to_bytes

from sdt.encoders.pretrained import HASH_DIGITS, weights_sha256
from sdt.encoders.text_model import RECORD, find_text_model, is_text_model_name
from sdt.models.base import Model
from sdt.models.graphs import write_graphs

MAX_BYTES = 25_000_000


def bundle_encoder(name: str, base: Path, folder: Path) -> str:
    """Write an encoder with merged adapters in float16; returns its name."""
    text_model = find_text_model(name, base)
    _, model = text_model.load()
    folder.mkdir()
    shutil.copy(text_model.folder / "config.json", folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(text_model.folder / file, folder)
    if text_model.adapter is not None:
        shutil.copy(text_model.adapter / RECORD, folder)
    parts: list[dict[str, object]] = [{}]
    size = 0
    for key, tensor in model.state_dict().items():
        value = tensor.half().contiguous().cpu()
        if parts[-1] and size + value.nbytes > MAX_BYTES:
            parts.append({})
            size = 0
        parts[-1][key] = value
        size += value.nbytes
    places = {}
    for number, part in enumerate(parts, start=1):
        file = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        (folder / file).write_bytes(to_bytes(part, {"format": "pt"}))  # type: ignore[arg-type]
        places |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    pooling = f":{text_model.pooling}"
    return f"{folder.name}@{weights_sha256(folder)[:HASH_DIGITS]}{pooling}"


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
