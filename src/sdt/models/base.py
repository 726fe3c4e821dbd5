"""Base class of all models: computes named logits from a packed batch.

SDT (`sdt.models.sdt`), the baselines (`sdt.models.baselines`) and custom models derive from `Model`, so the same code
trains, evaluates, saves and runs them on the same batches. docs/baselines.md shows how to write a model.

Shapes: N utterances of the batch, packed end to end; M modalities; C labels; d width of a state.
"""

from __future__ import annotations

import warnings
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
    """Classifier name to logits [N, C]: `"fused"` and the other `classifier_names` of the model."""
    weights: Tensor | None = None
    """Fusion weights [N, M, d]: they sum to 1 over the modalities that an utterance has and are 0 for the others. None
    if the model has no fusion weights."""
    states: dict[str, Tensor] = field(default_factory=dict)
    """Name to representation [N, d], for reports."""


@dataclass(frozen=True)
class NoSettings:
    """Empty settings, for models that have none."""


RENAMED_OVERRIDES = {"heads_of": "classifier_names_for"}
"""Deprecated name of a method that subclasses override, to its present name."""


class Model(nn.Module):
    """Base class of the models: computes the logits of every utterance of a packed batch.

    A model looks up the features of the batch by the names in `config.modalities`. It must keep conversations separate
    and ignore features where `batch.present` is False.

    Args:
        config: Modalities, labels, speakers, and the model's own settings in `config.architecture`.

    Raises:
        InputError: A modality name clashes with an attribute of `torch.nn.ModuleDict`, contains a dot or is empty.
    """

    settings: ClassVar[type[Any]] = NoSettings
    """Class of `config.architecture`: a frozen dataclass. Its fields are recipe settings; their docstrings are the
    command-line help."""
    config_class: ClassVar[type[ModelConfig]] = ModelConfig
    """Class of `config`."""
    title: ClassVar[str] = ""
    """Display name of the model; the class name if empty."""
    source: ClassVar[str] = ""
    """Reference of the publication; empty if there is none."""
    terms: ClassVar[tuple[str, ...]] = ("task",)
    """Objective terms that train the model: `task`; for models with a classifier per modality also `hard` (their
    cross-entropies) and `soft` (their divergence from the fused classifier)."""

    config: ModelConfig

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for old, new in RENAMED_OVERRIDES.items():
            if old in vars(cls) and new not in vars(cls):
                message = f"{cls.__qualname__}.{old} is deprecated; rename the method to {new}"
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                setattr(cls, new, vars(cls)[old])

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        for name in config.modalities:
            if hasattr(nn.ModuleDict, name) or "." in name or not name:
                raise InputError(f"modality name {name!r} is reserved or invalid; rename it, for example 'my_{name}'")
        self.config = config

    def forward(self, batch: Batch) -> Output:
        """Compute the output for a batch that has every modality of the model."""
        raise NotImplementedError

    def forward_with_layout(self, batch: Batch, layout: Layout) -> Output:
        """Run the model on a batch with a given implementation of attention within conversations.

        Models that support streaming, attention weights or ONNX export implement this; `forward` then calls it with
        the fastest layout.

        Args:
            batch: N utterances.
            layout: Computes attention; see `sdt.models.sdt.attention.Layout`.
        """
        raise NotImplementedError(f"{self.display_name()} does not support layouts")

    @property
    def attention_context(self) -> Context:
        """The part of its conversation that an utterance attends to."""
        return FULL

    @property
    def supports_streaming(self) -> bool:
        """Whether the output of a new utterance can be computed from cached keys and values of the previous ones.

        If False, streaming runs the model on the last utterances again for every new utterance.
        """
        return False

    @property
    def attention_pairs(self) -> tuple[tuple[str, str], ...]:
        """(target, source) modality of each encoder, in the order in which `Layout.attend` receives them."""
        return ()

    @property
    def supports_attention_weights(self) -> bool:
        """Whether attention weights can be recorded, one map for each of `attention_pairs`."""
        return bool(self.attention_pairs)

    @property
    def exports_onnx(self) -> bool:
        """Whether the model can be exported to ONNX: it has layouts, fusion weights and a classifier per modality."""
        return False

    def loss(
        self,
        output: Output,
        label: Tensor,
        objective: Objective,
        class_weights: Tensor | None = None,
        all_labels: Tensor | None = None,
        logit_offset: Tensor | None = None,
    ) -> Losses:
        """Compute the training loss; the default is the objective of `sdt.models.objective`.

        Override this for another loss. `Losses.terms` must have the same names for every batch. The arguments are
        passed by position; the last one only to models that do not override this method.

        Args:
            output: Output for N utterances.
            label: [N] int64; `UNLABELLED` for utterances to ignore.
            objective: The objective as returned by `objective_for`.
            class_weights: [C]; None for equal weights.
            all_labels: Labels of the whole batch if the N utterances are the shard of one process; the result is then
                the shard's contribution to the loss of the whole batch.
            logit_offset: [C]; added to the logits in cross-entropies; None for nothing.
        """
        return self_distillation(output.logits, label, objective, class_weights, all_labels, logit_offset)

    @classmethod
    def classifier_names_for(cls, config: ModelConfig) -> tuple[str, ...]:
        """Classifier names for a configuration: `"fused"`, which predicts, and each modality that has a classifier."""
        del config
        return (FUSED,)

    @property
    def classifier_names(self) -> tuple[str, ...]:
        """The names of the classifiers of this model, in the order of its logits."""
        return self.classifier_names_for(self.config)

    @property
    def fusion_weights(self) -> str:
        """Short description of `Output.weights` for reports: `learned`, `equal shares`, ..."""
        return "learned"

    @property
    def trained_terms(self) -> tuple[str, ...]:
        """The objective terms that trained the parameters, as recorded in the configuration; otherwise `terms`."""
        return tuple(self.config.provenance.get("terms", self.terms if len(self.classifier_names) > 1 else ("task",)))

    @classmethod
    def display_name(cls) -> str:
        """The name of the model in messages and reports."""
        return cls.title or cls.__name__

    @classmethod
    def objective_for(cls, config: ModelConfig, objective: Objective) -> Objective:
        """Return the objective with weight 0 for the terms that this model does not have.

        Raises:
            InputError: A setting contradicts the model, or a term is unknown.
        """
        for term in objective.terms:
            if term not in OBJECTIVE_TERMS:
                raise InputError(f"objective.terms: unknown term {term!r}{near_miss(term, list(OBJECTIVE_TERMS))}")
        used = cls.terms if len(cls.classifier_names_for(config)) > 1 else ("task",)
        usual, name = Objective(), cls.display_name()
        if objective.balance != "none" and cls.loss is not Model.loss:
            raise InputError(f"objective.balance: {objective.balance}, but {name} has its own loss; remove the setting")
        off: dict[str, Any] = {}
        for term in ("hard", "soft"):
            if term not in used:
                if getattr(objective, term) not in (0, getattr(usual, term)):
                    raise InputError(
                        f"objective.{term}: {getattr(objective, term)}, but the only terms of {name} are "
                        f"{', '.join(used)}; remove the setting"
                    )
                off[term] = 0.0
        for switch in ("detach_teacher", "tau_squared"):
            if "soft" not in used and getattr(objective, switch):
                raise InputError(f"objective.{switch}: true, but {name} has no soft term; remove the setting")
        if (
            objective.task == 0
            and not objective.added
            and all(term in off or getattr(objective, term) == 0 for term in ("hard", "soft"))
        ):
            raise InputError(f"objective.task: 0, but {name} has no other term with a weight above 0")
        return replace(objective, **off) if off else objective

    def save_pretrained(self, folder: str | Path, card: str = "", parts: Mapping[str, Path] | None = None) -> None:
        """Save `config.json`, `model.safetensors` and the model card to a folder; see `sdt.models.saved.save`."""
        saved.save(self, Path(folder), card, parts)

    @classmethod
    def from_pretrained(cls, name: str | Path, *, revision: str | None = None) -> Self:
        """Load a model in evaluation mode.

        Args:
            name: A model folder, a run folder, the name of a bundled model, or a hub id `owner/name`.
            revision: A branch, tag or commit of a model on the hub.

        Raises:
            InputError: The model does not exist, its files are damaged (see `sdt.models.hub`, `sdt.models.saved`), or
                it is not an instance of this class; `Model.from_pretrained` loads models of any class.
        """
        model = saved.load(find_model(name, revision))
        if not isinstance(model, cls):
            raise InputError(f"{name}: the model is {model.display_name()}; expected {cls.display_name()}")
        return model

    def push_to_hub(self, repo_id: str, card: str = "", *, private: bool = False) -> str:
        """Upload to the Hugging Face hub with the login of `hf auth login`.

        Args:
            repo_id: `owner/name`; created if it does not exist.
            card: Text of the model card, README.md; an existing card is kept if this is empty.
            private: Whether a new repository is private.

        Returns:
            The URL of the repository.

        Raises:
            InputError: The id is invalid, or the hub cannot be reached or refuses the upload.
        """
        return saved.push(self, repo_id, card, private=private)


def check_output(model: Model, output: Output, size: int) -> Output:
    """Check the shapes of the output for a batch of `size` utterances and return the output.

    Raises:
        InputError: Logits are missing, or a tensor has an unexpected shape.
    """
    expected = (size, len(model.config.labels))
    for name in model.classifier_names:
        logits = output.logits.get(name)
        if logits is None or tuple(logits.shape) != expected:
            found = "no logits" if logits is None else f"logits of shape {list(logits.shape)}"
            raise InputError(
                f"model {model.display_name()} returns {found} for classifier {name!r}; expected {list(expected)}"
            )
    weights = output.weights
    if weights is not None and (weights.dim() != 3 or tuple(weights.shape[:2]) != (size, len(model.config.modalities))):
        raise InputError(
            f"model {model.display_name()} returns fusion weights of shape {list(weights.shape)}; expected "
            f"[{size}, {len(model.config.modalities)}, d]"
        )
    return output
