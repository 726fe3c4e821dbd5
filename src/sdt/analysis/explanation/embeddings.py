"""Embeddings of utterances before and after fusion, projected to two dimensions by t-SNE.

Van der Maaten, Hinton: "Visualizing Data using t-SNE", Journal of Machine Learning Research 9 (2008).

A t-SNE projection alone is not evidence: its distances and cluster sizes are not meaningful, and it may show clusters
that do not exist. Every space therefore also has measures computed in the original space (`separation`).

Shapes: N utterances; n of them that have a modality; D dimensions of a space.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from sdt.analysis.explanation.separation import Separation, separation
from sdt.conversation import Conversation
from sdt.corpus.batches import split_batches
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.compatibility import check_compatibility
from sdt.models.base import Model
from sdt.models.config import FUSED

Stage = Literal["features", "before fusion", "after fusion"]
PERPLEXITY = 30.0
"""Default perplexity; for few utterances, a third of their number is used."""
NEIGHBOURS = 10
FEWEST = 5
"""Minimum number of utterances of a projection."""
AT_MOST = 3000
"""Maximum number of utterances of a projection; larger splits are sampled, for speed and legibility."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class EmbeddingSpace:
    """One embedding space and its projection."""

    stage: Stage
    """`features`: the features of an encoder, the model's input. `before fusion`: H_m, the state of a modality. `after
    fusion`: F. The last two exist only if the model outputs these states."""
    modality: str | None
    """The modality; None after fusion."""
    rows: npt.NDArray[np.int64]
    """[n] indices of the utterances that have the modality."""
    width: int
    """D."""
    xy: npt.NDArray[np.float64] | None
    """Projection [n, 2]; None for fewer than five utterances."""
    separation: Separation | None
    """Separation measured in the original space; None for fewer than five utterances."""

    @property
    def name(self) -> str:
        """`text, before fusion`."""
        return self.stage if self.modality is None else f"{self.modality}, {self.stage}"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """The embeddings of the annotated utterances of a split in all spaces of a model."""

    labels: tuple[str, ...]
    utterance_keys: tuple[tuple[str, str], ...]
    """[N] (conversation id, utterance id)."""
    label: npt.NDArray[np.int64]
    """[N] annotated class numbers."""
    spaces: tuple[EmbeddingSpace, ...]
    """Features of each modality, then H_m of each modality, then F."""
    perplexity: float
    """Perplexity of t-SNE in the spaces of all utterances."""
    seed: int
    """Random seed."""
    notes: tuple[str, ...] = ()
    """Notes on the interpretation, one line each."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values without the projected points."""
        return {
            "utterances": len(self.utterance_keys),
            "labels": dict(zip(self.labels, np.bincount(self.label, minlength=len(self.labels)).tolist(), strict=True)),
            "perplexity": self.perplexity,
            "seed": self.seed,
            "notes": list(self.notes),
            "spaces": [
                {
                    "stage": space.stage,
                    "modality": space.modality,
                    "utterances": len(space.rows),
                    "dimensions": space.width,
                    **({} if space.separation is None else _values(space.separation)),
                }
                for space in self.spaces
            ],
        }

    def to_csv(self) -> str:
        """Return the projected points as CSV: one row per utterance with its coordinates in every space."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        drawn = [space for space in self.spaces if space.xy is not None]
        writer.writerow(
            ["conversation", "utterance", "label", *(f"{space.name} {axis}" for space in drawn for axis in "xy")]
        )
        cells = [_cells(space, len(self.utterance_keys)) for space in drawn]
        for i, key in enumerate(self.utterance_keys):
            writer.writerow([*key, self.labels[self.label[i]], *(cell for column in cells for cell in column[i])])
        return text.getvalue()


def embed(
    model: Model,
    corpus: Corpus,
    conversations: Sequence[Conversation],
    *,
    seed: int = 0,
    at_most: int = AT_MOST,
    device: torch.device | None = None,
    progress: Callable[[int], object] | None = None,
) -> Embeddings:
    """Run a model on conversations and project the annotated utterances in every embedding space.

    The dimensions of a space are standardised first: unlike linear layers, distances depend on the units of dimensions,
    and a feature in Hertz would otherwise dominate all others.

    Args:
        model: The model; it is moved to `device`, and its mode is restored afterwards.
        corpus: The corpus with the features.
        conversations: Conversations of the corpus.
        seed: Random seed of t-SNE and of the sample if more than `at_most` utterances are annotated.
        at_most: Maximum number of utterances.
        device: Device; None for the model's present device.
        progress: Called with the number of finished spaces, of `spaces(model)`.

    Raises:
        InputError: The corpus is not compatible with the model, too few utterances are annotated, or an output is not
            finite.
    """
    notes = check_compatibility(model.config, corpus)
    number = {label: index for index, label in enumerate(model.config.labels)}
    utterances = [(c.id, u.id, u.label) for c in conversations for u in c.utterances]
    chosen = np.array([i for i, (*_, label) in enumerate(utterances) if label is not None], dtype=np.int64)
    if len(chosen) < FEWEST:
        raise InputError(
            f"{corpus.folder}: only {len(chosen)} utterances are annotated; embeddings need at least {FEWEST}"
        )
    if len(chosen) > at_most:
        notes.append(f"random sample of {at_most:,} of {len(chosen):,} annotated utterances")
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, at_most, replace=False))
    label = np.array([number[utterances[i][2] or ""] for i in chosen], dtype=np.int64)  # [N]
    ids = {id: index for index, id in enumerate(corpus.conversations)}
    conversation = np.array([ids[utterances[i][0]] for i in chosen], dtype=np.int64)  # [N]
    made = []
    for stage, modality, x, present in _states(model, corpus, conversations, device):
        rows = np.flatnonzero(present[chosen])
        values = x[chosen][rows]
        if not np.isfinite(values).all():
            raise InputError(
                f"{corpus.folder}: {modality or 'fused'}, {stage}: not finite; the model is damaged or the features "
                "are extreme"
            )
        made.append(_space(stage, modality, rows, values, label[rows], conversation[rows], seed))
        if progress:
            progress(1)
    if len(made) < spaces(model):
        missing = "no states" if len(made) == len(model.config.modalities) else "not all states before and after fusion"
        notes.append(f"{model.display_name()} outputs {missing}; their spaces are omitted")
    keys = tuple(utterances[i][:2] for i in chosen)
    return Embeddings(model.config.labels, keys, label, tuple(made), _perplexity(len(chosen)), seed, tuple(notes))


def spaces(model: Model) -> int:
    """The maximum number of spaces of a model: two per modality, and the fused space."""
    return 2 * len(model.config.modalities) + 1


def _states(
    model: Model, corpus: Corpus, conversations: Sequence[Conversation], device: torch.device | None
) -> Iterator[tuple[Stage, str | None, Floats, npt.NDArray[np.bool_]]]:
    """Yield stage, modality, the embeddings of all utterances [all, D], and whether they have the modality [all]."""
    config, device = model.config, device or next(model.parameters()).device
    features: dict[str, list[Floats]] = {name: [] for name in config.modalities}
    present: dict[str, list[npt.NDArray[np.bool_]]] = {name: [] for name in config.modalities}
    states: dict[str, list[Floats]] = {name: [] for name in (*config.modalities, FUSED)}
    batches = split_batches(
        corpus, conversations, 32, modalities=tuple(features), labels=config.labels, speakers=config.speakers
    )
    was_training = model.training
    model.to(device).eval()
    try:
        with torch.inference_mode():
            for batch in batches:
                for name, x in model(batch.to(device)).states.items():
                    if name in states:
                        states[name].append(x.float().cpu().numpy())
                for name in features:
                    features[name].append(batch.features[name].numpy())
                    present[name].append(batch.present[name].numpy())
    finally:
        model.train(was_training)
    has_modality = {name: np.concatenate(parts) for name, parts in present.items()}
    for name, parts in features.items():
        yield "features", name, np.concatenate(parts), has_modality[name]
    for name in features:
        if states[name]:
            yield "before fusion", name, np.concatenate(states[name]), has_modality[name]
    if states[FUSED]:
        fused = np.concatenate(states[FUSED])
        yield "after fusion", None, fused, np.ones(len(fused), dtype=bool)


def _space(
    stage: Stage,
    modality: str | None,
    rows: npt.NDArray[np.int64],
    x: Floats,
    label: npt.NDArray[np.int64],
    conversation: npt.NDArray[np.int64],
    seed: int,
) -> EmbeddingSpace:
    if len(rows) < FEWEST:
        return EmbeddingSpace(stage, modality, rows, x.shape[1], None, None)
    deviation = x.std(axis=0, dtype=np.float64)
    z = ((x - x.mean(axis=0, dtype=np.float64)) / np.where(deviation > 0, deviation, 1)).astype(np.float32)
    measured = separation(z, label, conversation, NEIGHBOURS)
    return EmbeddingSpace(stage, modality, rows, x.shape[1], _plane(z, seed), measured)


def _plane(x: Floats, seed: int) -> npt.NDArray[np.float64]:
    """Project [n, D] to [n, 2] by t-SNE, initialised with PCA so that the seed has little influence."""
    from sklearn.manifold import TSNE

    # PCA needs two dimensions and at least two different points.
    init = "pca" if x.shape[1] >= 2 and (x != x[0]).any() else "random"
    made = TSNE(perplexity=_perplexity(len(x)), init=init, learning_rate="auto", random_state=seed)
    xy: npt.NDArray[np.float64] = made.fit_transform(x).astype(np.float64)
    return xy


def _perplexity(n: int) -> float:
    return min(PERPLEXITY, (n - 1) / 3)


def _values(of: Separation) -> Mapping[str, float | int | None]:
    """JSON values; NaN becomes null."""
    return {name: None if value != value else value for name, value in asdict(of).items()}


def _cells(space: EmbeddingSpace, size: int) -> list[tuple[str, str]]:
    cells = [("", "")] * size
    assert space.xy is not None
    for row, (x, y) in zip(space.rows.tolist(), space.xy.tolist(), strict=True):
        cells[row] = (f"{x:.5g}", f"{y:.5g}")
    return cells
