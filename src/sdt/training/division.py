"""The splits of a run: those of the corpus, or those of a fold of cross-validation."""

from __future__ import annotations

from sdt.corpus.folds import Folds
from sdt.corpus.store import Corpus
from sdt.training.settings import CrossValidation, Recipe


def folds_of(corpus: Corpus, settings: CrossValidation) -> Folds:
    """The folds of a corpus; raises `InputError` if it cannot be divided so."""
    return Folds(corpus, settings.folds, settings.leave_out, settings.seed)


def divided(corpus: Corpus, recipe: Recipe) -> Corpus:
    """The corpus with the splits of a recipe.

    Raises:
        InputError: The corpus cannot be divided so.
    """
    settings = recipe.cross_validation
    return folds_of(corpus, settings).split(settings.fold, settings.dev_share) if settings.enabled else corpus
