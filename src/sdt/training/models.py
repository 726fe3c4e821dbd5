"""The model class and configuration of a recipe for a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sdt.corpus.store import Corpus
from sdt.language import detect_languages
from sdt.models.base import Model
from sdt.models.config import ModelConfig
from sdt.models.registry import find
from sdt.training.recipe import resolved
from sdt.training.settings import Recipe


def model_for(recipe: Recipe, corpus: Corpus) -> tuple[type[Model], ModelConfig]:
    """Find the model class and create its configuration; imports the code that the recipe names, see `resolved`.

    Raises:
        InputError: The model or a setting does not exist, the objective contradicts the model, or the corpus lacks a
            modality.
    """
    recipe = resolved(recipe)
    kind = find(recipe.architecture)
    settings = recipe.settings_of_model
    settings = kind.settings() if settings is None else settings
    config = kind.config_class.for_corpus(corpus, settings, recipe.modalities)
    config = replace(config, languages=detect_languages(_sample(corpus)))
    kind.objective_for(config, recipe.objective)
    return kind, config


def _sample(corpus: Corpus) -> Iterator[str]:
    """The texts of up to 200 conversations of the train split."""
    train = corpus.split("train") if "train" in corpus.splits else corpus.all_conversations()
    for conversation in train[:: max(1, len(train) // 100)]:
        yield from (utterance.text for utterance in conversation.utterances if utterance.text)
