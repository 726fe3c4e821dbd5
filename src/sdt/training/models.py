"""Which model a recipe means, and its configuration on a corpus."""

from __future__ import annotations

from dataclasses import replace

from sdt.corpus.store import Corpus
from sdt.language import languages_of
from sdt.model.base import Model
from sdt.model.config import ModelConfig
from sdt.model.registry import find
from sdt.training.recipe import resolved
from sdt.training.settings import Recipe


def model_for(recipe: Recipe, corpus: Corpus) -> tuple[type[Model], ModelConfig]:
    """The class and the configuration; imports the code that the recipe names, see `resolved`.

    Raises:
        InputError: There is no such model, a setting is none of its, a setting of the objective contradicts it, or the
            corpus lacks a modality.
    """
    recipe = resolved(recipe)
    kind = find(recipe.architecture)
    config = kind.config_class.for_corpus(corpus, recipe.settings_of_model, recipe.modalities)
    words = (said.text for conversation in corpus.split("train") for said in conversation.utterances if said.text)
    config = replace(config, languages=languages_of(words))
    kind.objective_for(config, recipe.objective)
    return kind, config
