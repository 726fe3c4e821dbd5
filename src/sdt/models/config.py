"""Configuration of models (`ModelConfig`), settings of SDT (`Architecture`) and of the loss (`Objective`).

This module does not import torch, so that the command line lists the settings quickly.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from sdt.errors import InputError, near_miss, quoted
from sdt.models.balance import Balance
from sdt.models.context import Context, head_patterns
from sdt.plugins import plugins
from sdt.speakers import Speakers
from sdt.text import check_names

if TYPE_CHECKING:
    from sdt.corpus.store import Corpus

FUSED = "fused"


@dataclass(frozen=True)
class Architecture:
    """Settings of SDT; the defaults are the published IEMOCAP setting (paper, section IV-C)."""

    width: int = 1024
    """Model width d."""
    heads: int = 8
    """Number of attention heads; must divide the width."""
    layers: int = 1
    """Layers of each intra- and inter-modal encoder; 1 as published. Layers after the first are pre-norm."""
    feed_forward: int | None = None
    """Hidden width of the encoders' feed-forward network; None for the model width, as published."""
    dropout: float = 0.5
    """Dropout of inputs, attention weights, feed-forward networks and student classifiers."""
    intra_modal: bool = True
    """Whether each modality attends to itself."""
    inter_modal: bool = True
    """Whether each modality attends to the others."""
    positions: bool = True
    """Whether the position in the conversation is added to the input."""
    speakers: bool = True
    """Whether the speaker embedding is added to the input."""
    unimodal_gate: Literal["learned", "frozen", "none"] = "learned"
    """Unimodal-level gate: learned W; W frozen to the identity (the published MELD setting); or no gate."""
    fusion: str = "gated"
    """Multimodal-level fusion: gated (as published), selective (one weight per modality that depends on all),
    addition, concatenation, or one that an installed package registers."""
    gate_temperature: float = 1.0
    """Divisor of the scores of the gated and selective fusions; below 1, weights are less even."""
    reliability: bool = False
    """Whether each modality of an utterance has a learned reliability, computed from its features, which multiplies its
    input and its weight in the gated or selective fusion."""
    context: str = "full"
    """Utterances that an utterance attends to: full (the whole conversation, as published); past (itself and all
    previous ones); or window(k) (itself and the k - 1 previous ones)."""
    head_patterns: str = "all"
    """Utterances of the context that attention heads read, separated by commas, each for an equal share of the heads:
    all (as published); near(W) (at most W utterances away); own or own(W) (of the same speaker, at most W of that
    speaker's utterances away); others or others(W) (of other speakers)."""
    relative_positions: bool = False
    """Whether attention scores have a learned bias for the distance in utterances and in the speaker's own
    utterances."""

    def __post_init__(self) -> None:
        for name in ("width", "heads", "layers"):
            if getattr(self, name) < 1:
                raise InputError(f"model.{name}: {getattr(self, name)} is less than 1")
        if self.feed_forward is not None and self.feed_forward < 1:
            raise InputError(f"model.feed_forward: {self.feed_forward} is less than 1")
        if self.width % self.heads:
            raise InputError(f"model.heads: {self.heads} heads do not divide model.width {self.width}")
        if self.width % 2:
            raise InputError(f"model.width: {self.width} is odd; sine and cosine positions need an even width")
        if not 0 <= self.dropout < 1:
            raise InputError(f"model.dropout: {self.dropout} is not in [0, 1)")
        if not (self.intra_modal or self.inter_modal):
            raise InputError("model.intra_modal and model.inter_modal are both false; the model needs one of them")
        if self.unimodal_gate not in UNIMODAL_GATES:
            raise InputError(
                f"model.unimodal_gate: {quoted(self.unimodal_gate)}{near_miss(str(self.unimodal_gate), UNIMODAL_GATES)}"
            )
        check_fusion(self.fusion)
        if not 0 < self.gate_temperature < math.inf:
            raise InputError(f"model.gate_temperature: {self.gate_temperature} is not a number above 0")
        if self.gate_temperature != 1 and self.fusion in ("addition", "concatenation"):
            raise InputError(f"model.gate_temperature: the fusion {self.fusion} has no gate; remove the setting")
        if self.reliability and self.fusion not in ("gated", "selective"):
            raise InputError(f"model.reliability: needs the fusion gated or selective, not {quoted(self.fusion)}")
        Context.of(self.context)
        head_patterns(self.head_patterns, self.heads)

    @property
    def attention_context(self) -> Context:
        """The utterances that each attention head reads."""
        return replace(
            Context.of(self.context),
            patterns=head_patterns(self.head_patterns, self.heads),
            relative=self.relative_positions,
        )


UNIMODAL_GATES = ("learned", "frozen", "none")
FUSIONS: Mapping[str, str] = {
    "gated": "sdt.models.sdt.fusion:GatedFusion",
    "selective": "sdt.models.sdt.fusion:SelectiveFusion",
    "addition": "sdt.models.sdt.fusion:AdditiveFusion",
    "concatenation": "sdt.models.sdt.fusion:ConcatenatedFusion",
}
"""Fusions by name: `module:class`, a subclass of `sdt.models.sdt.fusion.Fusion`. Packages register more in the group of
entry points `sdt.fusions`."""


def check_fusion(name: object) -> None:
    """Check that a fusion is built in or registered by an installed package, without importing it.

    Raises:
        InputError: The fusion is unknown.
    """
    if name not in FUSIONS and name not in (registered := plugins("sdt.fusions")):
        raise InputError(f"model.fusion: {quoted(name)}{near_miss(str(name), [*FUSIONS, *registered])}")


PRESETS: dict[str, Architecture] = {
    "iemocap": Architecture(),
    "meld": Architecture(unimodal_gate="frozen"),
}
"""Published model settings; the published objective and training settings are in `recipes/`."""


ADDED_TERMS = ("contrastive", "shift")
"""Built-in terms of the objective, other than those of the paper, whose weight is a setting."""


@dataclass(frozen=True)
class Objective:
    """Settings of the loss; the defaults are the published IEMOCAP setting."""

    task: float = 1.0
    """gamma_1, weight of the fused classifier's cross-entropy."""
    hard: float = 1.0
    """gamma_2, weight of the students' cross-entropies."""
    soft: float = 1.0
    """gamma_3, weight of the students' divergence from the teacher."""
    temperature: float = 1.0
    """tau, which divides the teacher's and students' logits in the soft term; published: 1 (IEMOCAP), 8 (MELD)."""
    detach_teacher: bool = False
    """Whether the soft term is detached from the teacher; false in the published program."""
    tau_squared: bool = False
    """Whether the soft term is multiplied by tau^2, as usual in distillation; false in the published program."""

    balance: str = "none"
    """Class imbalance in the cross-entropies: none; logit_adjustment(tau), tau times the logarithm of the class
    frequencies in training is added to the logits; focal(gamma), each cross-entropy is multiplied by (1 - p)^gamma; or
    class_balanced(beta), classes are weighted by the inverse of their effective number."""
    label_smoothing: float = 0.0
    """Share of the target of the cross-entropies that is spread evenly over all classes."""
    contrastive: float = 0.0
    """Weight of supervised contrastive learning of the fused states with class prototypes."""
    contrastive_temperature: float = 0.1
    """tau, which divides the cosines in the contrastive term."""
    contrastive_queue: int = 64
    """Number of the last utterances of each class whose mean is its prototype in the contrastive term."""
    contrastive_focal: float = 0.0
    """gamma, exponent that gives hard positives more weight in the contrastive term; 0 for equal weights."""
    contrastive_minorities: float = 0.0
    """alpha, exponent that gives rare classes more weight in the contrastive term; 0 for equal weights."""
    shift: float = 0.0
    """Weight of a head that predicts whether the emotion differs from that of the speaker's previous utterance."""

    terms: dict[str, float] = dataclasses.field(default_factory=dict)
    """Weights of additional loss terms, by the names under which packages register them."""

    def __post_init__(self) -> None:
        balance = Balance.of(self.balance)
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"objective.label_smoothing: {self.label_smoothing} is not in [0, 1)")
        if self.label_smoothing and balance.gamma:
            raise InputError(f"objective.label_smoothing: not with objective.balance {self.balance}; remove one")
        for name in ADDED_TERMS:
            if name in self.terms:
                raise InputError(f"objective.terms: {name} is a setting; write objective.{name}")
        weights = {name: getattr(self, name) for name in ("task", "hard", "soft", *ADDED_TERMS)}
        weights |= {f"terms.{name}": weight for name, weight in self.terms.items()}
        for name, value in weights.items():
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"objective.{name}: {value} is not a valid weight; expected a number of 0 or more")
        if not any(weights.values()):
            raise InputError("objective: all weights are 0; at least one must be above 0")
        for name in ("temperature", "contrastive_temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"objective.{name}: {getattr(self, name)} is not valid; expected a number above 0")
        for name in ("contrastive_focal", "contrastive_minorities"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"objective.{name}: {getattr(self, name)} is not a number of 0 or more")
        if self.contrastive_queue < 1:
            raise InputError(f"objective.contrastive_queue: {self.contrastive_queue} is less than 1")

    @property
    def added(self) -> dict[str, float]:
        """Weights of the terms other than `task`, `hard` and `soft`, in order."""
        return {**{name: weight for name in ADDED_TERMS if (weight := getattr(self, name))}, **self.terms}


@dataclass(frozen=True)
class ModelConfig:
    """Configuration of a saved model, the content of `config.json`."""

    modalities: Mapping[str, int]
    """Modality name to feature width D_m, in order."""
    labels: tuple[str, ...]
    """Label names in the order of the logits."""
    speakers: Speakers
    """Numbering of the speakers."""
    architecture: Any = None
    """Settings of the model class: a frozen dataclass, such as `Architecture` of SDT."""
    encoders: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Modality name to the name of its feature encoder."""
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The training run: `protocol`, `corpus`, `corpus_sha256`, `seed`, `epoch`."""
    normalisation: Mapping[str, Mapping[str, list[float]]] = dataclasses.field(default_factory=dict)
    """For each modality whose encoder name ends in `|z:corpus`: `mean` and `deviation` [D_m] of its features over the
    train split, used to normalise new inputs."""
    temperatures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Classifier (`fused` and each modality) to the temperature that divides its logits before the softmax; fitted on
    dev (see `sdt.evaluation.calibration`). Classifiers without an entry have 1."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of the languages in the training data; empty if unknown."""

    def __post_init__(self) -> None:
        if not self.modalities:
            raise InputError("a model needs at least one modality")
        if FUSED in self.modalities:
            raise InputError(f"modality name {quoted(FUSED)} is reserved for the fused classifier; rename the modality")
        texts = (str(value) for value in self.provenance.values())
        check_names("the name", (*self.modalities, *self.labels, *self.speakers.names, *self.encoders.values(), *texts))
        for name, statistics in self.normalisation.items():
            if {len(statistics[key]) for key in ("mean", "deviation")} != {self.modalities.get(name)}:
                raise InputError(f"normalisation: statistics of {quoted(name)} do not match the width of the modality")
        for classifier, temperature in self.temperatures.items():
            if classifier not in (FUSED, *self.modalities):
                raise InputError(f"temperatures: unknown classifier {quoted(classifier)}")
            if not (math.isfinite(temperature) and temperature > 0):
                raise InputError(f"temperatures: {quoted(classifier)} is {temperature}; expected a number above 0")

    @property
    def temperature(self) -> float:
        """The temperature of the fused prediction."""
        return self.temperatures.get(FUSED, 1.0)

    @property
    def uses_speakers(self) -> bool:
        """Whether the model uses speakers, according to the field or class variable `speakers` of its settings."""
        return bool(getattr(self.architecture, "speakers", True))

    @classmethod
    def for_corpus(
        cls,
        corpus: Corpus,
        architecture: Any,  # noqa: ANN401 - see the field
        modalities: tuple[str, ...] | None = None,
    ) -> Self:
        """Create the configuration of a model for a corpus.

        Args:
            corpus: Provides labels, speakers, feature widths, encoders and normalisation statistics.
            architecture: Settings of the model class.
            modalities: Modalities to use; None for all modalities of the corpus.

        Raises:
            InputError: The corpus does not have one of the modalities.
        """
        chosen = modalities or tuple(corpus.modalities)
        for name in chosen:
            if name not in corpus.modalities:
                raise InputError(
                    f"{corpus.folder}: the corpus has no modality {quoted(name)}{near_miss(name, corpus.modalities)}"
                )
        statistics = corpus.provenance.get("normalisation", {})
        return cls(
            modalities={name: corpus.modalities[name].shape[1] for name in chosen},
            labels=corpus.labels,
            speakers=corpus.speakers,
            architecture=architecture,
            encoders={name: corpus.modalities[name].encoder for name in chosen},
            normalisation={name: statistics[name] for name in chosen if name in statistics},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON values, for `config.json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], settings: type[Any] = Architecture) -> Self:
        """Create a configuration from the result of `to_dict`.

        Args:
            values: Content of `config.json`.
            settings: The class of `architecture`.

        Raises:
            InputError: A value contradicts another.
            KeyError, TypeError: A key is missing or unknown.
        """
        speakers = values["speakers"]
        return cls(
            modalities=dict(values["modalities"]),
            labels=tuple(values["labels"]),
            speakers=Speakers(speakers["mode"], speakers["count"], tuple(speakers["names"])),
            architecture=settings(**values["architecture"]),
            encoders=dict(values["encoders"]),
            provenance=dict(values["provenance"]),
            # Models saved by earlier versions do not have these three.
            normalisation=dict(values.get("normalisation", {})),
            temperatures=dict(values.get("temperatures", {})),
            languages=tuple(values.get("languages", ())),
        )


@dataclass(frozen=True)
class SDTConfig(ModelConfig):
    """The configuration of SDT."""

    architecture: Architecture = Architecture()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.modalities) == 1 and not self.architecture.intra_modal:
            raise InputError(
                f"model.intra_modal: false, but the only modality {quoted(next(iter(self.modalities)))} has no "
                "inter-modal encoder; set it to true"
            )

    def sources(self, target: str) -> tuple[str, ...]:
        """The modalities that `target` attends to: itself first, then the others in order."""
        own = (target,) if self.architecture.intra_modal else ()
        others = tuple(m for m in self.modalities if m != target) if self.architecture.inter_modal else ()
        return own + others
