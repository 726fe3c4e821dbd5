"""Fine-tuning of a text encoder on single utterances, as for the published text features, or with context.

The encoder's pooled vector goes through dropout and a linear classifier; both are trained on the train split. The epoch
with the highest weighted F1 on dev is selected, and test is scored once with its weights. The output is the encoder
without the classifier, as a Hugging Face model folder or a low-rank adapter, and `finetune.json`. Several corpora can
be learnt at the same time, each with a classifier of its own for its labels.

A text longer than the encoder's maximum length is split into pieces (`text_pieces`): evaluation pools all pieces, an
epoch trains on one random piece, so that memory does not grow with the text. With a context, the encoder reads the
neighbouring utterances, too (`text_context`), and is pooled over the utterance's own tokens.

The output folder of an unfinished run contains `settings.json` and `checkpoint/`. Every epoch has its own seed, so on
the same machine with the same versions and number of threads, a resumed run is bit-identical to an uninterrupted one.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import sdt
from sdt.corpus.overlap import overlap
from sdt.corpus.store import Corpus
from sdt.device import precision_note
from sdt.encoders.int8_weights import quantise, restore
from sdt.encoders.pretrained import weights_sha256
from sdt.encoders.text import max_tokens
from sdt.encoders.text_model import RECORD, find_text_model
from sdt.encoders.text_torch import model_positions
from sdt.errors import InputError
from sdt.files import atomic_folder
from sdt.training.display import Display
from sdt.training.environment import deterministic, hardware
from sdt.training.finetune_model import Classifier, save_encoder, split_texts, trainable_encoder
from sdt.training.finetune_run import FineTuningRun, Part
from sdt.training.finetune_settings import FineTuning
from sdt.training.finetune_symbols import add_symbols

SETTINGS = "settings.json"


def finetune(
    corpus: Corpus,
    output: Path,
    settings: FineTuning,
    *,
    also: Sequence[Corpus] = (),
    device: torch.device | None = None,
    resume: bool = False,
    overwrite: bool = False,
    display: Display | None = None,
) -> dict[str, Any]:
    """Fine-tune a text encoder and save it.

    Args:
        corpus: A corpus with the splits train and dev; test is scored if it exists.
        output: Output folder of the encoder or the adapter.
        settings: Settings of the training.
        also: Further corpora, whose utterances the encoder learns at the same time, each with a classifier of its own
            for its labels. The epoch is then selected by the mean of the scores on dev.
        device: Device; None for the CPU.
        resume: Resume the run in `output`, if there is one.
        overwrite: Replace the content of `output`.
        display: Progress display.

    Returns:
        The content of `finetune.json`.

    Raises:
        InputError: The corpus lacks a split, labels or text; the encoder does not exist; `output` is not empty; or the
            run to resume has other settings or another corpus.
        MissingDependencyError: `settings.lora` is set and peft is not installed.
    """
    display, device = display or Display(), device or torch.device("cpu")
    text_model = find_text_model(settings.encoder)
    if text_model.adapter is not None or text_model.pooling == "layers":
        raise InputError(
            f"--encoder {settings.encoder}: not supported; name a model with pooling 'mean' or 'first' and no adapter"
        )
    if settings.context and settings.context.window and text_model.pooling == "first":
        raise InputError(
            f"--encoder {settings.encoder}: windows need the pooling 'mean', because the utterances of a window have "
            f"one first token; give {settings.encoder}:mean"
        )
    base = {"encoder": settings.encoder, "sha256": weights_sha256(text_model.folder)}
    corpora = [corpus, *also]
    for one, split in itertools.product(corpora, ("train", "dev")):
        if not one.splits.get(split):
            raise InputError(f"{one.folder}: fine-tuning needs the split {split!r}; import the corpus with --dev")
    identity = {"settings": asdict(settings), "base": base, "corpus_sha256": corpus.fingerprint, "device": device.type}
    if also:
        identity["also_sha256"] = [one.fingerprint for one in also]
    if _begin(output, identity, resume=resume, overwrite=overwrite):
        record: dict[str, Any] = json.loads((output / RECORD).read_text(encoding="utf-8"))
        return record
    with deterministic():
        torch.manual_seed(settings.seed)
        tokenizer, encoder = text_model.load()
        if settings.symbols:
            tokenizer = add_symbols(tokenizer, encoder)
        classes = [len(one.labels) for one in corpora]
        model = Classifier(trainable_encoder(encoder, settings), text_model, classes, settings).to(device)
        longest = max_tokens(model_positions(model.encoder.config), settings.tokens)
        parts = []
        for number, one in enumerate(corpora):
            without = overlap(corpora, number)
            if without:
                display.say(
                    f"{one.name}: {len(without)} train utterances left out: dev or test of others has them, too"
                )
            texts = {
                split: split_texts(
                    *(one, split, tokenizer, longest, settings.context),
                    soft=settings.soft_labels and split == "train",
                    without=without if split == "train" else (),
                )
                for split in ("train", "dev", "test")
                if one.splits.get(split)
            }
            parts.append(Part(texts, one.labels))
        if slow := precision_note(device, settings.precision):
            display.say(f"warning: {slow}")
        run = FineTuningRun(model, parts, settings, tokenizer.pad_token_id, display)
        state = run.train(output / "checkpoint")
        model.load_state_dict(state.best)
        if settings.int8:
            model.encoder.load_state_dict(restore(quantise(model.encoder.state_dict())))
        scores = [
            {split: run.evaluate(number, split).to_dict() for split in part.texts if split != "train"}
            for number, part in enumerate(parts)
        ]
    described = [
        {
            "corpus": {"name": one.name, "sha256": one.fingerprint, "licence": one.licence},
            "labels": list(one.labels),
            "scores": scores[number],
        }
        for number, one in enumerate(corpora)
    ]
    record = {
        "settings": asdict(settings) | {"learning_rate": settings.rate},
        "pooling": text_model.pooling,
        "base": base,
        **described[0],
        "also": described[1:],
        "epoch": state.best_epoch,
        "chosen_on": "dev",
        "history": state.history,
        "made_with": {"sdt": sdt.__version__, "torch": torch.__version__, "hardware": hardware(device)},
    }
    with atomic_folder(output, overwrite=True) as aside:
        save_encoder(model.encoder, tokenizer, settings, aside)
        record["sha256"] = weights_sha256(aside)
        (aside / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return record


def _begin(output: Path, identity: dict[str, Any], *, resume: bool, overwrite: bool) -> bool:
    """Create the output folder, or check that it contains this run; returns whether the run is finished."""
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder with --output")
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        finished = (output / RECORD).is_file()
        path = output / (RECORD if finished else SETTINGS)
        if not path.is_file():
            raise InputError(f"{output}: is not empty and not a fine-tuning run; name another folder with --output")
        if not resume:
            state = "a finished" if finished else "an unfinished"
            raise InputError(
                f"{output}: contains {state} fine-tuning run; resume it with --resume or replace it with --overwrite"
            )
        if finished:
            return True
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            changed = [
                f"{key} {before['settings'].get(key)!r}, not {value!r}"
                for key, value in identity["settings"].items()
                if before["settings"].get(key) != value
            ]
            for name in ("base", "corpus_sha256", "also_sha256", "device"):
                if before.get(name) != identity.get(name):
                    changed.append(f"another {name}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: damaged ({error}); restart with --overwrite") from None
        if changed:
            raise InputError(f"{output}: cannot resume with other settings: the run has {changed[0]}")
        return False
    with atomic_folder(output, overwrite=True) as aside:
        (aside / SETTINGS).write_text(json.dumps(identity, indent=1) + "\n", encoding="utf-8")
    return False
