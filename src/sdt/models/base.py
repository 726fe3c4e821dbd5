"""The base class of all models: a configuration and a packed batch in, named logits out.

SDT (`sdt.models.sdt`), the baselines (`sdt.models.baselines`) and a researcher's own model derive from `Model`. So they
are trained, scored, saved and used by the same code, on the same batches. docs/baselines.md shows how to write one.

Shapes: N utterances of the batch, packed end to end; M modalities; C labels; d width of a state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from torch import Tensor, nn

from sdt.batch import Batch
from sdt.errors import InputError, near_miss
from sdt.models import saved
from sdt.models.config import FUSED, ModelConfig, Objective
from sdt.models.context import FULL, Context
from sdt.models.hub import find_model
from sdt.models.objective import OBJECTIVE_TERMS, Losses, self_distillation

if TYPE_CHECKING:
    from sdt.models.sdt.attention import Layout


@dataclass(frozen=True)
class Output:
    """The output of a model for a batch of N utterances."""

    logits: dict[str, Tensor]
    """Classifier to logits [N, C]: `"fused"` and the other `classifier_names` of the model."""
    weights: Tensor | None = None
    """[N, M, d] weights of the fusion: they sum to 1 over the modalities that an utterance has and are 0 for the
    others. None if the model has no fusion weights."""
    states: dict[str, Tensor] = field(default_factory=dict)
    """Representations to show in reports, by name, [N, d]."""


@dataclass(frozen=True)
class NoSettings:
    """Settings of a model without settings."""


class Model(nn.Module):
    """Base class of the models: computes the logits of every utterance of a packed batch.

    A model reads the features of the batch by the names in `config.modalities`. It must keep conversations separate and
    ignore features where `batch.present` is False.

    Args:
        config: Modalities, labels, speakers, and the model's own settings in `config.architecture`.

    Raises:
        InputError: The name of a modality cannot be used.
    """

    settings: ClassVar[type[Any]] = NoSettings
    """The class of `config.architecture`: a frozen dataclass. Its fields are settings of recipes; their docstrings are
    the help of the command line."""
    config_class: ClassVar[type[ModelConfig]] = ModelConfig
    """The class of `config`."""
    title: ClassVar[str] = ""
    """The name of the model in texts; the name of the class if empty."""
    source: ClassVar[str] = ""
    """Reference of the publication; empty if there is none."""
    terms: ClassVar[tuple[str, ...]] = ("task",)
    """The terms of the objective that train it: `task`; with a classifier per modality also `hard`, their
    cross-entropies, and `soft`, their divergence from the fused classifier."""

    config: ModelConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        for name in config.modalities:
            if hasattr(nn.ModuleDict, name) or "." in name or not name:
                raise InputError(f"modality name {name!r} cannot be used; choose another, such as 'my_{name}'")
        self.config = config

    def forward(self, batch: Batch) -> Output:
        """Compute the output of a batch that has every modality of the model."""
        raise NotImplementedError

    def forward_with_layout(self, batch: Batch, layout: Layout) -> Output:
        """Run the model on a batch with another implementation of attention within conversations.

        Models that support streaming, attention weights or ONNX export implement this; `forward` then calls it with
        the fastest layout.

        Args:
            batch: N utterances.
            layout: Computes attention; see `sdt.models.sdt.attention.Layout`.
        """
        raise NotImplementedError(f"{self.called()} does not support layouts")

    @property
    def attention_context(self) -> Context:
        """How much of its conversation an utterance attends to."""
        return FULL

    @property
    def supports_streaming(self) -> bool:
        """Whether new utterances can be computed alone, from cached keys and values of the utterances before them.

        If not, streaming runs the model on the last utterances again for every new one.
        """
        return False

    @property
    def attention_pairs(self) -> tuple[tuple[str, str], ...]:
        """(target, source) modality of each encoder, in the order in which `Layout.attend` receives them."""
        return ()

    @property
    def supports_attention_weights(self) -> bool:
        """Whether its attention weights can be recorded, one map for each of `attention_pairs`."""
        return bool(self.attention_pairs)

    @property
    def exports_onnx(self) -> bool:
        """Whether it can be exported to ONNX: it supports layouts, fusion weights and a classifier per modality."""
        return False

    def loss(
        self,
        output: Output,
        label: Tensor,
        objective: Objective,
        class_weights: Tensor | None = None,
        whole: Tensor | None = None,
    ) -> Losses:
        """Compute the loss that trains the model; the default is the objective of `sdt.models.objective`.

        A model with a loss of another kind overrides this. `Losses.terms` must have the same names for every batch.

        Args:
            output: Of N utterances.
            label: [N] int64; `UNLABELLED` for utterances that count in no term.
            objective: As `objective_for` returned it.
            class_weights: [C]; None for equal weights.
            whole: The labels of the whole batch if these utterances are one process' part of it; the loss is then the
                part's contribution to the loss of the whole batch.
        """
        return self_distillation(output.logits, label, objective, class_weights, whole)

    @classmethod
    def classifier_names_for(cls, config: ModelConfig) -> tuple[str, ...]:
        """The names of the classifiers: `"fused"`, which predicts, and modalities that have their own classifier."""
        del config
        return (FUSED,)

    @property
    def classifier_names(self) -> tuple[str, ...]:
        """The names of the classifiers of this model, in the order of its logits."""
        return self.classifier_names_for(self.config)

    @property
    def fusion_weights(self) -> str:
        """What `Output.weights` are, in a word or two for reports: `learned`, `equal shares`, ..."""
        return "learned"

    @property
    def trained_terms(self) -> tuple[str, ...]:
        """The terms of the objective that trained the parameters; `terms` if the configuration does not say."""
        return tuple(self.config.provenance.get("terms", self.terms if len(self.classifier_names) > 1 else ("task",)))

    @classmethod
    def called(cls) -> str:
        """The name of the model in texts."""
        return cls.title or cls.__name__

    @classmethod
    def objective_for(cls, config: ModelConfig, objective: Objective) -> Objective:
        """The objective with weight 0 for the terms that this model does not have.

        Raises:
            InputError: A setting contradicts the model, or a term is unknown.
        """
        for term in objective.terms:
            if term not in OBJECTIVE_TERMS:
                raise InputError(f"objective.terms: unknown term {term!r}{near_miss(term, list(OBJECTIVE_TERMS))}")
        used = cls.terms if len(cls.classifier_names_for(config)) > 1 else ("task",)
        usual, name = Objective(), cls.called()
        off: dict[str, Any] = {}
        for term in ("hard", "soft"):
            if term not in used:
                if getattr(objective, term) not in (0, getattr(usual, term)):
                    raise InputError(
                        f"objective.{term}: {getattr(objective, term)}, but {name} is trained by "
                        f"{' and '.join(used)} alone; leave the setting out"
                    )
                off[term] = 0.0
        for switch in ("detach_teacher", "tau_squared"):
            if "soft" not in used and getattr(objective, switch):
                raise InputError(f"objective.{switch}: true, but {name} has no soft labels; leave the setting out")
        if (
            objective.task == 0
            and not objective.terms
            and all(term in off or getattr(objective, term) == 0 for term in ("hard", "soft"))
        ):
            raise InputError(f"objective.task: 0, but {name} is trained by {' and '.join(used)} alone")
        return replace(objective, **off) if off else objective

    def save_pretrained(self, folder: str | Path, card: str = "", parts: Mapping[str, Path] | None = None) -> None:
        """Save `config.json`, `model.safetensors` and the model card to a folder; see `sdt.models.saved.save`."""
        saved.save(self, Path(folder), card, parts)

    @classmethod
    def from_pretrained(cls, name: str | Path, *, revision: str | None = None) -> Self:
        """Load a model, in evaluation mode.

        Args:
            name: A model folder, a run folder, the name of a bundled model, or a hub id `owner/name`.
            revision: A branch, tag or commit of a model on the hub.

        Raises:
            InputError: The model does not exist or its files are damaged (see `sdt.models.hub`, `sdt.models.saved`), or
                it is a model of another class; `Model.from_pretrained` loads models of any class.
        """
        model = saved.load(find_model(name, revision))
        if not isinstance(model, cls):
            raise InputError(f"{name}: holds the model {model.called()}, and {cls.called()} is needed here")
        return model

    def push_to_hub(self, repo_id: str, card: str = "", *, private: bool = False) -> str:
        """Upload to the Hugging Face hub with the login of `hf auth login`.

        Args:
            repo_id: `owner/name`; created if it does not exist.
            card: The text of README.md, the model card; an existing card is kept if this is empty.
            private: Whether a new repository is private.

        Returns:
            The URL of the repository.

        Raises:
            InputError: The id is invalid, or the hub cannot be reached or refuses the upload.
        """
        return saved.push(self, repo_id, card, private=private)


def checked(model: Model, output: Output, size: int) -> Output:
    """Check the shapes of the output of a batch of `size` utterances and return it.

    Raises:
        InputError: Logits are missing, or a tensor has an unexpected shape.
    """
    wanted = (size, len(model.config.labels))
    for head in model.classifier_names:
        found = output.logits.get(head)
        if found is None or tuple(found.shape) != wanted:
            what = "no logits" if found is None else f"logits of the shape {list(found.shape)}"
            raise InputError(
                f"the model {model.called()} gives {what} for the classifier {head!r}; expected {list(wanted)}"
            )
    weights = output.weights
    if weights is not None and (weights.dim() != 3 or tuple(weights.shape[:2]) != (size, len(model.config.modalities))):
        raise InputError(
            f"the model {model.called()} gives weights of the shape {list(weights.shape)}; expected "
            f"[{size}, {len(model.config.modalities)}, d]"
        )
    return output
