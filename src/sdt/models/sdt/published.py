"""Conversion of checkpoints from and to the published SDT program.

The published program has nine separately named encoders and gates. In its parameter names, `t_a` is the encoder with
keys and values from text and queries from audio; the modalities are t, a, v. Its checkpoints also contain nine unused
layer norms, a table of positions per encoder and, in the MELD setting, nine frozen identity gates; `SDT` has none of
these.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from sdt.errors import InputError
from sdt.models.config import Architecture, SDTConfig
from sdt.models.context import FULL
from sdt.models.sdt.encoder import SinusoidalPositions
from sdt.models.sdt.model import SDT
from sdt.speakers import Speakers

LETTERS = ("t", "a", "v")
PROJECTIONS = ("textf_input", "acouf_input", "visuf_input")
POSITIONS = 512
"""Number of rows of the published program's table of positions."""

LAYER = {
    "self_attn.linear_q": "attention.query",
    "self_attn.linear_k": "attention.key",
    "self_attn.linear_v": "attention.value",
    "self_attn.linear": "attention.output",
    "feed_forward.layer_norm": "feed_forward.norm",
    "feed_forward.w_1": "feed_forward.expand",
    "feed_forward.w_2": "feed_forward.contract",
}
"""Published name to our name of the modules of an encoder layer; each has a weight and a bias."""


def load_published(path: Path) -> dict[str, Tensor]:
    """Read a checkpoint file: safetensors, or PyTorch's format with tensors only (`weights_only=True`).

    Raises:
        InputError: The file is missing, damaged, or not a dictionary of tensors.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # torch.load warns about pickle protocols that it may still read
            state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as a checkpoint ({reason}); expected a state dictionary of tensors, "
                         "saved by torch.save(model.state_dict(), ...) or as safetensors") from None  # fmt: skip
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path}: expected a dictionary of tensors (the program's model.state_dict())")
    return state


def from_published(
    state: Mapping[str, Tensor],
    *,
    labels: Sequence[str] | None = None,
    modalities: Sequence[str] = ("text", "audio", "visual"),
    heads: int = 8,
    dropout: float = 0.5,
    speakers: Speakers | None = None,
) -> SDT:
    """Create an `SDT` model from the parameters of a published checkpoint; sizes follow from the shapes.

    Args:
        state: Parameters under the published program's names.
        labels: Label names in the order of the logits; None for numbers.
        modalities: Our names for the program's t, a and v.
        heads: Number of attention heads, which shapes do not show; 8 in the published program.
        dropout: Dropout for further training, which shapes do not show.
        speakers: Numbering of the speakers; None for the order of appearance.

    Raises:
        InputError: A parameter is missing, unknown or of the wrong shape, or there is more than one layer (the
            program's further layers differ from ours).
    """
    names = _names(tuple(modalities), learned=True)
    sizes = {"last_gate.fc.weight", "all_output_layer.weight", "speaker_embeddings.weight"}
    for name in sorted(sizes | {f"{p}.weight" for p in PROJECTIONS} | set(names)):
        if name not in state:
            raise InputError(f"published checkpoint: parameter {name!r} is missing")
    for name in state:
        if ".transformer_inter.1." in name:
            raise InputError(f"published checkpoint: parameter {name!r} belongs to a second layer; only checkpoints "
                             "with one layer can be converted")  # fmt: skip
        if name not in names and not _dropped(name):
            raise InputError(f"published checkpoint: parameter {name!r} is unknown")
    width = state["last_gate.fc.weight"].shape[0]
    classes = state["all_output_layer.weight"].shape[0]
    identity = torch.eye(width)
    gates = [state[f"{n}_{m}_gate.fc.weight"] for n in LETTERS for m in LETTERS]
    frozen = all(torch.equal(gate.cpu().float(), identity) for gate in gates)
    count = state["speaker_embeddings.weight"].shape[0] - 1
    config = SDTConfig(
        modalities={m: state[f"{p}.weight"].shape[1] for m, p in zip(modalities, PROJECTIONS, strict=True)},
        labels=tuple(labels) if labels is not None else tuple(str(number) for number in range(classes)),
        speakers=speakers or Speakers("appearance", count),
        architecture=Architecture(
            width=width, heads=heads, dropout=dropout, unimodal_gate="frozen" if frozen else "learned"
        ),
        provenance={"protocol": "unknown (a checkpoint of the published program)"},
    )
    if len(config.labels) != classes or config.speakers.count != count:
        raise InputError(f"published checkpoint: it has {classes} classes and {count} speakers, but "
                         f"{len(config.labels)} labels and {config.speakers.count} speakers are given")  # fmt: skip
    model = SDT(config)
    ours = model.state_dict()
    for theirs, name in _names(tuple(modalities), learned=not frozen).items():
        value = state[theirs].squeeze(-1) if theirs.startswith(PROJECTIONS) else state[theirs]
        if value.shape != ours[name].shape:
            raise InputError(f"published checkpoint: parameter {theirs!r} has shape {list(value.shape)}, "
                             f"expected {list(ours[name].shape)}")  # fmt: skip
        ours[name] = value
    model.load_state_dict(ours)
    return model.eval()


def to_published(model: SDT) -> dict[str, Tensor]:
    """Return the parameters under the published program's names, including the unused ones that it expects.

    Raises:
        InputError: The published program cannot represent the model: it needs three modalities, one layer, the full
            context, every component enabled, and no other switch.
    """
    settings = model.config.architecture
    modalities = tuple(model.config.modalities)
    if (
        len(modalities) != len(LETTERS)
        or settings.layers != 1
        or settings.unimodal_gate == "none"
        or settings.fusion != "gated"
        or settings.attention_context != FULL
        or settings.gate_temperature != 1
        or settings.reliability
        or not (settings.intra_modal and settings.inter_modal and settings.positions and settings.speakers)
    ):
        raise InputError("the model cannot be converted: the published program needs three modalities, one layer, "
                         "context full, fusion gated, every component enabled, and no other switch")  # fmt: skip
    ours = model.state_dict()
    learned = settings.unimodal_gate == "learned"
    state = {theirs: ours[name].clone() for theirs, name in _names(modalities, learned=learned).items()}
    for projection in PROJECTIONS:
        state[f"{projection}.weight"] = state[f"{projection}.weight"].unsqueeze(-1)
    table = SinusoidalPositions(settings.width)(torch.arange(POSITIONS))[None]  # [1, 512, d]
    for n in LETTERS:
        for m in LETTERS:
            state[f"{n}_{m}.pos_emb.pe"] = table.clone()
            state[f"{n}_{m}.transformer_inter.0.layer_norm.weight"] = torch.ones(settings.width)
            state[f"{n}_{m}.transformer_inter.0.layer_norm.bias"] = torch.zeros(settings.width)
            if not learned:
                state[f"{n}_{m}_gate.fc.weight"] = torch.eye(settings.width)
    return state


def _names(modalities: tuple[str, ...], *, learned: bool) -> dict[str, str]:
    """Published parameter name to ours."""
    if len(modalities) != len(LETTERS):
        raise InputError(f"the published program has three modalities; {len(modalities)} are given")
    names = {
        "speaker_embeddings.weight": "speakers.weight",
        "last_gate.fc.weight": "multimodal.gate.weight",
        "all_output_layer.weight": "classifier.weight",
        "all_output_layer.bias": "classifier.bias",
    }
    for projection, modality in zip(PROJECTIONS, modalities, strict=True):
        names[f"{projection}.weight"] = f"projections.{modality}.weight"
    for m, target in zip(LETTERS, modalities, strict=True):
        for kind in ("weight", "bias"):
            names[f"features_reduce_{m}.{kind}"] = f"unimodal.{target}.reduce.{kind}"
            names[f"{m}_output_layer.2.{kind}"] = f"students.{target}.classifier.{kind}"
        for n, source in zip(LETTERS, modalities, strict=True):
            if learned:
                names[f"{n}_{m}_gate.fc.weight"] = f"unimodal.{target}.gates.{source}.weight"
            for theirs, part in LAYER.items():
                for kind in ("weight", "bias"):
                    names[f"{n}_{m}.transformer_inter.0.{theirs}.{kind}"] = (
                        f"encoders.{target}.{source}.layers.0.{part}.{kind}"
                    )
    return names


def _dropped(name: str) -> bool:
    """Whether the published program saves this parameter but never trains it."""
    return name.endswith(".pos_emb.pe") or ".transformer_inter.0.layer_norm." in name
