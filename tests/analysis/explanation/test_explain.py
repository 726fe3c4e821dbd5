"""The whole explanation of a conversation, and its JSON values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.table import Table
from rich.text import Text
from torch import Tensor, nn

from sdt.analysis.explanation import explain as module
from sdt.analysis.explanation import explanation
from sdt.analysis.explanation.explain import explain
from sdt.analysis.explanation.pictures import write_explanation
from sdt.analysis.explanation.table import explanation_table
from sdt.batch import Batch
from sdt.errors import InputError
from sdt.models.base import Model, NoSettings, Output
from sdt.models.baselines.inputs import concatenated
from sdt.models.config import ModelConfig
from sdt.models.sdt.fusion import Fusion
from tests.analysis.explanation.build import explained, lively, one, without
from tests.models.build import LABELS, SPEAKERS, WIDTHS, conversation


def test_weights_and_probabilities_are_the_models() -> None:
    found, model, batch, _ = explained(6, missing=0.3)
    with torch.no_grad():
        output = model(batch)
    weights = output.weights.numpy()
    assert found.weights is not None
    np.testing.assert_allclose(found.weights.mean, weights.mean(axis=2), atol=1e-6)
    np.testing.assert_allclose(found.weights.deviation, weights.std(axis=2), atol=1e-6)
    np.testing.assert_allclose(found.weights.low, np.percentile(weights, 10, axis=2), atol=1e-6)
    np.testing.assert_allclose(found.weights.high, np.percentile(weights, 90, axis=2), atol=1e-6)
    assert (found.weights.mean[~found.present] == 0).all()
    for head, logits in output.logits.items():
        np.testing.assert_allclose(found.probabilities[head], logits.softmax(-1).numpy(), atol=1e-5)
    for name in found.modalities:
        other = output.logits[name].argmax(1) != output.logits["fused"].argmax(1)
        np.testing.assert_array_equal(found.disagreeing(name), (other & batch.present[name]).numpy())


def test_json_holds_everything() -> None:
    found, _, _, said = explained(4, missing=0.3)
    values = json.loads(found.to_json())
    assert values["modalities"] == ["text", "audio", "visual"]
    assert [of["order"] for of in values["utterances"]] == [1, 2, 3, 4]
    for i, of in enumerate(values["utterances"]):
        assert (of["text"], of["speaker"]) == (said.utterances[i].text, said.utterances[i].speaker)
        assert of["emotion"] == max(of["probabilities"]["fused"], key=of["probabilities"]["fused"].__getitem__)
        assert of["disagreeing"] == [
            name
            for name in values["modalities"]
            if of["present"][name] and max(LABELS, key=of["probabilities"][name].__getitem__) != of["emotion"]
        ]
        weights = [weight["mean"] for weight in of["weights"].values() if weight]
        assert of["inferred"] == (not weights)
        assert not weights or sum(weights) == pytest.approx(1, abs=1e-4)
        for name, there in of["present"].items():
            assert (of["weights"][name] is not None) == (of["probabilities"][name] is not None) == there
    assert len(values["attention"]) == 9
    for of in values["attention"]:
        heads = np.array(of["heads"])
        assert heads.shape == (2, 4, 4)
        np.testing.assert_allclose(heads.mean(0), of["mean"], atol=1e-4)
        np.testing.assert_allclose(heads.sum(-1), 1, atol=1e-3)
        gone = [not u["present"][of["source"]] for u in values["utterances"]]
        assert not heads[:, :, gone].any()
    occlusion = values["occlusion"]
    here = [[occlusion["modality_here"][m]["probability"][i] is None for m in values["modalities"]] for i in range(4)]
    assert here == (~found.present).tolist()
    changed = {(of["utterance"] - 1, of["without"] - 1): of["emotion"] for of in occlusion["utterance"]["changed"]}
    for i in range(4):
        for j in range(4):
            effect = found.occlusion.utterances
            assert LABELS[effect.emotion[i, j]] == changed.get((i, j), LABELS[found.emotions[i]])
            expected = float(effect.probability[i, j])
            assert occlusion["utterance"]["probability"][i][j] == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_an_utterance_without_anything_is_explained_from_the_others() -> None:
    model, batch, said = lively(), one(3), conversation("c0", 3)
    batch = without(batch, *((1, name) for name in batch.present))
    found = explain(model, batch, said)
    assert any(note.startswith("1 of 3 utterances have no modality") for note in found.notes)
    assert found.to_dict()["utterances"][1]["inferred"]
    table = next(part for part in explanation_table(found).renderables if isinstance(part, Table))
    emotions = [cell.plain for cell in table.columns[2].cells if isinstance(cell, Text)]
    assert [emotion.startswith("(") for emotion in emotions] == [False, True, False]
    assert "audio: missing in 1 of 3 utterances" in found.notes
    assert np.isfinite(found.probabilities["fused"]).all()


def test_what_is_known_of_a_modality_is_not_said_twice() -> None:
    model, batch = lively(), without(one(2), (0, "audio"))
    found = explain(model, batch, conversation("c0", 2), notes=["audio: not used: no recording was given"])
    assert found.notes == ("audio: not used: no recording was given",)


@pytest.mark.parametrize("fusion", ["addition", "concatenation"])
def test_without_a_gate_the_weights_are_said_to_be_none(fusion: str) -> None:
    found, *_ = explained(2, fusion=fusion)
    assert found.weights is not None
    np.testing.assert_allclose(found.weights.mean, 1 / 3)
    fusion_of = found.to_dict()["fusion"]
    assert (fusion_of["weights"], fusion_of["per_dimension"]) == ("equal shares", False)


class ScalarFusion(Fusion):
    """One learned number for each modality."""

    weights_kind = "learned"

    def __init__(self, width: int, modalities: int) -> None:
        super().__init__(width, modalities)
        self.scores = nn.Parameter(torch.arange(modalities, dtype=torch.float32))

    def forward(self, states: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        allowed = present | ~present.any(dim=1, keepdim=True)
        weights = self.scores.expand_as(allowed).masked_fill(~allowed, -torch.inf).softmax(dim=1)[:, :, None]
        return (weights * states).sum(dim=1), weights


def test_a_fusion_of_another_kind_says_what_it_does() -> None:
    model = lively()
    model.multimodal = ScalarFusion(16, 3)
    found = explain(model, one(3), conversation("c0", 3))
    fusion = found.to_dict()["fusion"]
    assert (fusion["weights"], fusion["per_dimension"]) == ("learned", False)
    assert list(fusion["mean"].values()) == pytest.approx(torch.arange(3.0).softmax(0).tolist(), rel=1e-4)
    assert not any("equal share" in note for note in found.notes)
    gated = explained(3)[0].to_dict()["fusion"]
    assert (gated["weights"], gated["per_dimension"]) == ("learned", True)


class Plain(Model):
    """A model of another class: no weights, no attention, no branches."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.classifier = nn.Linear(sum(config.modalities.values()), len(config.labels))

    def forward(self, batch: Batch) -> Output:
        return Output({"fused": self.classifier(concatenated(batch, self.config.modalities))})


def test_a_model_of_any_class_is_explained_by_what_it_has(tmp_path: Path) -> None:
    model = Plain(ModelConfig(WIDTHS, LABELS, SPEAKERS, NoSettings())).eval()
    found = explain(model, one(3), conversation("c0", 3))
    values = json.loads(found.to_json())
    assert values["fusion"] is None
    assert values["attention"] == []
    assert {of["weights"] for of in values["utterances"]} == {None}
    assert values["utterances"][0]["probabilities"].keys() == {"fused"}
    assert np.isfinite(found.occlusion.everywhere.probability).all()
    names = write_explanation(found, tmp_path / "out")
    assert names == ["branches.png", "explanation.json", "occlusion.png"]


def test_untrained_branches_are_named() -> None:
    model = lively()
    model.config = replace(model.config, provenance={"terms": ["task"]})
    found = explain(model, one(2), conversation("c0", 2))
    assert any("classifiers of the branches were not trained" in note for note in found.notes)


def test_modes_come_back_and_gradients_are_not_kept() -> None:
    model = lively().train()
    explain(model, one(3), conversation("c0", 3))
    assert model.training


def test_long_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    for home in (module, explanation):
        monkeypatch.setattr(home, "HEADS_UP_TO", 5)
    monkeypatch.setattr(module, "LONGEST", 8)
    found, model, *_ = explained(6)
    values = found.to_dict()
    assert all("heads" not in of and np.shape(of["mean"]) == (6, 6) for of in values["attention"])
    assert any("more than 5 utterances" in note for note in found.notes)
    with pytest.raises(InputError, match=r"9 utterances .* maximum of 8"):
        explain(model, one(9), conversation("c0", 9))


def test_refusals() -> None:
    model, batch, said = lively(), one(2), conversation("c0", 2)
    nothing = without(batch, *((i, name) for name in batch.present for i in range(2)))
    with pytest.raises(InputError, match="'c0': no utterance has any of text, audio, visual"):
        explain(model, nothing, said)
    batch.features["text"][1] = torch.inf
    with pytest.raises(InputError, match="not finite"):
        explain(model, batch, said)
