"""The fine-tuned model: an encoder with a linear classifier, its texts, parameters and files."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sdt.conversation import Utterance
from sdt.corpus.store import Corpus
from sdt.encoders.int8_weights import quantise
from sdt.encoders.pretrained import quiet_transformers
from sdt.encoders.text_context import TextContext, neighbours, split_in_context
from sdt.encoders.text_model import ADAPTER_WEIGHTS, TextModel
from sdt.encoders.text_pieces import Piece
from sdt.encoders.text_pooling import pool
from sdt.encoders.text_torch import PaddedTensors
from sdt.errors import InputError, MissingDependencyError
from sdt.text import is_blank
from sdt.training.checkpoint import trainable_parameters
from sdt.training.finetune_settings import FineTuning


@dataclass
class Texts:
    """The labelled utterances of a split that have text."""

    pieces: list[list[Piece]]
    """The pieces of each text."""
    label: Tensor
    """[n] int64 class numbers."""
    target: Tensor
    """What is learnt: the labels, or the probabilities [n, C] of soft labels."""
    windows: bool = False
    """Whether texts with equal tokens are encoded together."""

    @property
    def inputs(self) -> list[list[int]]:
        """The texts of each input: one, or those of a window, which are encoded together."""
        found: dict[object, list[int]] = {}
        for number, pieces in enumerate(self.pieces):
            found.setdefault(tuple(pieces[0].tokens) if self.windows else number, []).append(number)
        return list(found.values())


class Classifier(nn.Module):
    """An encoder with pooling, dropout and a linear classifier for each corpus.

    Args:
        encoder: The encoder.
        text_model: Where it comes from.
        classes: The number of labels of each corpus.
        settings: The settings of the training.
    """

    def __init__(self, encoder: nn.Module, text_model: TextModel, classes: Sequence[int], settings: FineTuning) -> None:
        super().__init__()
        config: Any = encoder.config
        self.encoder = encoder
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(int(config.hidden_size), classes[0])
        self.others = nn.ModuleList(nn.Linear(int(config.hidden_size), count) for count in classes[1:])
        self.pooling = text_model.pooling

    def forward(self, batch: PaddedTensors, corpus: int = 0) -> Tensor:
        """Compute logits [n, C] of a batch of n pieces of a corpus."""
        last = self.encoder(input_ids=batch.tokens, attention_mask=batch.mask).last_hidden_state  # [u, tokens, size]
        head = self.others[corpus - 1] if corpus else self.head
        logits: Tensor = head(self.dropout(pool(self.pooling, [batch.of_pieces(last)], batch.counted)))
        return logits


def trainable_encoder(encoder: nn.Module, settings: FineTuning) -> nn.Module:
    """Select the trainable parameters of an encoder; with `settings.lora`, adds low-rank adapters to its linear layers.

    Raises:
        MissingDependencyError: `settings.lora` is set and peft is not installed.
    """
    if settings.lora:
        try:
            import peft
        except ImportError:
            raise MissingDependencyError(
                "--lora needs peft; install it with: pip install 'sdt-erc[finetune]'"
            ) from None
        linear = [
            name
            for name, module in encoder.named_modules()
            if isinstance(module, nn.Linear) and not name.startswith("pooler")
        ]
        config = peft.LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=linear)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # concerns peft and transformers; users cannot act on it
            adapted: nn.Module = peft.get_peft_model(encoder, config)
        return adapted
    for name, parameter in encoder.named_parameters():
        # The pooler comes after the last hidden layer, which is pooled here, so it would never receive a gradient.
        parameter.requires_grad_(not name.startswith("pooler"))
    return encoder


def split_texts(
    corpus: Corpus,
    split: str,
    tokenizer: Any,  # noqa: ANN401 - transformers has no types
    longest: int,
    context: TextContext | None = None,
    *,
    soft: bool = False,
    without: Collection[tuple[str, str]] = (),
) -> Texts:
    """Tokenize the utterances of a split that have text and a label, with their context if there is one.

    Args:
        corpus: The corpus.
        split: The name of the split.
        tokenizer: The tokenizer of the encoder.
        longest: The largest number of tokens of a piece.
        context: The utterances that are read with each one.
        soft: Whether the targets are the shares of the annotators' labels.
        without: (conversation id, utterance id) of utterances that are not learnt; they remain context of others.

    Raises:
        InputError: No utterance has both.
    """
    found = [
        (utterance.text, utterance.label, (utterance, before, after))
        for conversation in corpus.split(split)
        for utterance, before, after in neighbours(conversation, context)
        if utterance.label is not None and utterance.text and not is_blank(utterance.text)
        if (conversation.id, utterance.id) not in without
    ]
    if not found:
        raise InputError(f"{corpus.folder}: no utterance of the split {split!r} has both a label and text")
    around = [context.surroundings(*turn) for _, _, turn in found] if context else []
    pieces = split_in_context(tokenizer, [text for text, _, _ in found], around, context, longest)
    label = torch.tensor([corpus.labels.index(label) for _, label, _ in found])
    target = torch.tensor([_shares(turn[0], corpus.labels) for _, _, turn in found]) if soft else label
    return Texts(pieces, label, target, bool(context and context.window))


def _shares(utterance: Utterance, labels: Sequence[str]) -> list[float]:
    """The share of each label among those of the annotators, or 1 for the label if there are none."""
    given = [one.label for one in utterance.annotations if one.label in labels] or [utterance.label or ""]
    return [given.count(label) / len(given) for label in labels]


def parameter_groups(model: Classifier, settings: FineTuning) -> list[dict[str, Any]]:
    """Group parameters by peak learning rate, in the model's order, which checkpoints rely on."""
    config: Any = model.encoder.config
    layers = int(config.num_hidden_layers)
    groups: list[dict[str, Any]] = []
    for name, parameter in trainable_parameters(model).items():
        layer = re.search(r"\.layers?\.(\d+)\.", name)
        below = layers - 1 - int(layer[1]) if layer else layers  # parameters outside the layers are the embeddings
        rate = (
            settings.head_learning_rate
            if name.startswith(("head.", "others."))
            else settings.rate * settings.layer_decay**below
        )
        if not groups or groups[-1]["highest"] != rate:
            groups.append({"params": [], "highest": rate, "lr": rate})
        groups[-1]["params"].append(parameter)
    return groups


def save_encoder(encoder: nn.Module, tokenizer: Any, settings: FineTuning, folder: Path) -> None:  # noqa: ANN401
    """Write the adapter, or the model and its tokenizer."""
    if settings.lora:
        import peft
        from safetensors.torch import save

        adapter: Any = encoder
        tensors = peft.get_peft_model_state_dict(adapter, save_embedding_layers=False)
        # peft's own writer would add an empty model card and query the hub for the base model.
        (folder / ADAPTER_WEIGHTS).write_bytes(save({name: t.cpu().contiguous() for name, t in tensors.items()}))
        config = adapter.peft_config["default"]
        config.base_model_name_or_path, config.inference_mode = settings.encoder, True
        config.save_pretrained(folder)
        return
    with quiet_transformers():
        model: Any = encoder
        model.save_pretrained(folder)
        if settings.int8:
            from safetensors.torch import save

            (weights,) = folder.glob("*.safetensors")
            weights.write_bytes(save(quantise(model.state_dict()), {"format": "pt"}))
        tokenizer.save_pretrained(folder)
    # transformers writes weights that only their owner can read.
    for path in folder.iterdir():
        path.chmod((folder / "config.json").stat().st_mode)
