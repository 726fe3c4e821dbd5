"""Run folders as training leaves them, without any training."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from sdt.corpus.store import Corpus
from sdt.evaluation.outputs import run_model, write_predictions
from sdt.evaluation.scores import score_classifiers
from sdt.files import write_text
from sdt.models.config import Architecture, SDTConfig
from sdt.models.sdt.model import SDT
from sdt.training.folder import RunFolder
from sdt.training.recipe import dump_recipe
from tests.training.conftest import make_recipe


def make_run(folder: Path, corpus: Corpus, seed: int, *, protocol: str = "validation", **training: Any) -> Path:
    """A finished run: a model with random parameters, what it says of every split, its scores and settings."""
    recipe = dataclasses.replace(make_recipe(corpus.folder, protocol=protocol, **training), seed=seed)
    torch.manual_seed(seed)
    provenance = {
        "protocol": protocol,
        "corpus": corpus.name,
        "corpus_sha256": corpus.fingerprint,
        "seed": seed,
        "epoch": 1,
    }
    config = SDTConfig.for_corpus(corpus, Architecture(width=8, heads=2))
    model = SDT(dataclasses.replace(config, provenance=provenance)).eval()
    with torch.no_grad():  # so that it says more than one thing
        model.classifier.weight *= 20
    scores = {}
    for split in ("dev", "test"):
        conversations = corpus.split(split)
        outputs = run_model(model, corpus, conversations)
        write_predictions(folder / "predictions" / f"{split}.jsonl", outputs.predictions(model.config), conversations)
        scores[split] = {head: of.to_dict() for head, of in score_classifiers(outputs, corpus.labels).items()}
    model.save_pretrained(folder / "model")
    write_text(folder / "recipe.yaml", dump_recipe(recipe))
    write_text(folder / "environment.json", json.dumps({"corpus": str(corpus.folder)}))
    RunFolder(folder).write_scores({**provenance, "scores": scores})
    return folder
