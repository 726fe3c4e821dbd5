"""Models by name, and custom code: only where it is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sdt.errors import InputError
from sdt.models import registry
from sdt.models.base import Model, Output, check_output
from sdt.models.config import ModelConfig, Objective
from sdt.models.saved import load
from tests.models.baselines import contract
from tests.models.build import LABELS, SPEAKERS, WIDTHS, random_batch

OWN = '''
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from sdt.models.baselines.inputs import concatenated
from sdt.models.base import Model, Output

Path(__file__).with_suffix(".was-run").touch()


@dataclass(frozen=True)
class Settings:
    width: int = 3
    """The width."""


class Mine(Model):
    settings = Settings

    def __init__(self, config):
        super().__init__(config)
        self.classifier = nn.Linear(sum(config.modalities.values()), len(config.labels))

    def forward(self, batch):
        return Output({"fused": self.classifier(concatenated(batch, self.config.modalities))})
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a model, and a registry that does not know it yet."""
    monkeypatch.setattr(registry, "_custom", {})
    monkeypatch.setattr(registry, "_files", {})
    path = tmp_path / "mine.py"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_every_name_leads_to_a_model() -> None:
    for name in registry.MODELS:
        model = registry.find(name)
        assert issubclass(model, Model)
        assert registry.label_of(model) == name
        assert registry.find_imported(name) is model
        assert registry.group(name) == ("model" if name == "sdt" else name)
        assert (registry.settings_of_group(name) is None) is (name == "sdt")


def test_the_registry_is_light() -> None:
    code = (
        "import sys, sdt.models.registry, sdt.training.settings; print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("bc_lstn", "unknown model 'bc_lstn'; did you mean 'bc_lstm'"),
        ("a b", "unknown model 'a b'"),
        ("x.py:", "FILE.py:CLASS or MODULE:CLASS"),
        ("none.py:Mine", "none.py: file not found"),
        ("no_such_module:Mine", r"no_such_module: cannot be imported \(ModuleNotFoundError"),
        ("json:Mine", "json:Mine: .*sdt.models.base.Model"),
        ("sdt.models.baselines.mmgcn:MMGCM", "did you mean 'MMGCN'"),
    ],
)
def test_what_is_no_model(reference: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        registry.find(reference)


def test_code_of_ones_own(own: Path) -> None:
    reference = f"{own}:Mine"
    assert registry.find_imported(reference) is None
    model = registry.find(reference)
    assert registry.find(reference) is model
    assert registry.find_imported("mine.py:Mine") is model
    assert registry.label_of(model) == "mine.py:Mine"  # no folder: a model can be handed on
    assert registry.group(reference) == "mine"
    assert registry.settings_of_group("mine") is model.settings
    other = own.parent / "other" / "mine.py"
    other.parent.mkdir()
    other.write_text(OWN, encoding="utf-8")
    with pytest.raises(InputError, match=r"other/mine\.py:Mine: .*mine\.py"):
        registry.find(f"{other}:Mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n\nraise ValueError('oh')", r"broken.py, line 3: cannot be imported \(ValueError: oh\)"),
        ("def f(:", r"broken.py: cannot be imported \(SyntaxError"),
        ("Mine = 3", "broken.py:Mine: "),
    ],
)
def test_code_that_is_broken_says_where(text: str, message: str, own: Path) -> None:
    path = own.with_name("broken.py")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        registry.find(f"{path}:Mine")


def test_a_file_whose_name_cannot_name_settings(own: Path) -> None:
    path = own.rename(own.with_name("my-model.py"))
    with pytest.raises(InputError, match=r"my-model\.py: .*identifier"):
        registry.find(f"{path}:Mine")


def test_a_saved_model_never_brings_its_code_along(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker, folder = own.with_suffix(".was-run"), own.parent / "model"
    model = contract.build(registry.find(f"{own}:Mine"), {"width": 5})
    model.save_pretrained(folder, "# Mine\n")
    assert marker.exists()
    marker.unlink()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (config["model"], config["architecture"]) == ("mine.py:Mine", {"width": 5})

    monkeypatch.setattr(registry, "_custom", {})  # as in another process
    monkeypatch.chdir(own.parent)  # where the file lies
    with pytest.raises(InputError, match=r"model/config.json: .* mine.py:Mine .* --code mine.py:Mine"):
        load(folder)
    assert not marker.exists()
    registry.find("mine.py:Mine")
    assert marker.exists()
    assert load(folder).config.to_dict() == model.config.to_dict()


def test_a_saved_model_of_an_unknown_name(own: Path) -> None:
    folder = own.parent / "model"
    contract.build(registry.find("utterance")).save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"utterance"', '"uterance"'), encoding="utf-8")
    with pytest.raises(InputError, match="did you mean 'utterance'"):
        load(folder)


class Wrong(Model):
    """Promises a head that it does not give."""

    @classmethod
    def classifier_names_for(cls, config: ModelConfig) -> tuple[str, ...]:
        del config
        return ("fused", "text")


def test_a_deprecated_name_of_an_overridden_method_still_works() -> None:
    with pytest.warns(DeprecationWarning, match="Old.heads_of is deprecated; .*classifier_names_for"):

        class Old(Model):
            @classmethod
            def heads_of(cls, config: ModelConfig) -> tuple[str, ...]:
                return ("fused", *config.modalities)

    model = Old(ModelConfig(WIDTHS, LABELS, SPEAKERS))
    assert model.classifier_names == ("fused", *WIDTHS)


def test_what_a_model_promises_is_checked() -> None:
    model, batch = Wrong(ModelConfig(WIDTHS, LABELS, SPEAKERS)), random_batch([4, 3])
    x = batch.features["text"]
    good = {"fused": x[:, :3], "text": x[:, :3]}
    for output, message in (
        (Output({"fused": x[:, :3]}), r"Wrong .* classifier 'text'; expected \[7, 3\]"),
        (Output({**good, "fused": x[:5, :3]}), r"shape \[5, 3\] for classifier 'fused'; expected \[7, 3\]"),
        (Output(good, weights=x), r"weights of shape \[7, 6\]; expected \[7, 3, d\]"),
    ):
        with pytest.raises(InputError, match=message):
            check_output(model, output, len(batch))
    assert check_output(model, Output(good, weights=x[:, :3, None]), len(batch)).logits is good


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Objective(hard=0.5), r"objective\.hard: 0\.5, .*utterance only"),
        (Objective(soft=2), r"objective\.soft: 2"),
        (Objective(detach_teacher=True), r"objective\.detach_teacher: true, .*utterance only"),
        (Objective(tau_squared=True), r"objective\.tau_squared"),
        (Objective(task=0), r"objective\.task: 0, .*utterance only"),
    ],
)
def test_an_objective_that_contradicts_a_single_head(objective: Objective, message: str) -> None:
    model = contract.build(registry.find("utterance"))
    with pytest.raises(InputError, match=message):
        model.objective_for(model.config, objective)


def test_the_objective_of_a_single_head_and_of_sdt() -> None:
    single, sdt = contract.build(registry.find("utterance")), contract.build(registry.find("sdt"), {"width": 8})
    for objective in (Objective(), Objective(hard=0, soft=0), Objective(temperature=8)):
        fitting = single.objective_for(single.config, objective)
        assert (fitting.task, fitting.hard, fitting.soft) == (1, 0, 0)
        assert sdt.objective_for(sdt.config, objective) is objective
