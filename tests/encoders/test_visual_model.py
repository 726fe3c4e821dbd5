"""Any image model of Hugging Face looks at the speaker's face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sdt.encoders.encoder import feature_encoder
from sdt.encoders.face_settings import FaceSettings
from sdt.encoders.faces import speaker_face
from sdt.encoders.visual_cascade import CascadeDetector
from sdt.encoders.visual_model import FaceModel, Preprocessing
from sdt.errors import InputError
from tests.encoders.drawn import face, film, scene, source

NORMALISED = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}


def _saved(folder: Path, model: Any, **said: Any) -> Path:
    model.save_pretrained(folder)
    settings = {"do_resize": True, "size": {"height": 32, "width": 32}, **NORMALISED, **said}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    tiny: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_labels": 7}
    config = ViTConfig(**tiny, intermediate_size=16, image_size=32, patch_size=8)
    return _saved(tmp_path_factory.mktemp("models") / "vit", ViTForImageClassification(config))


def test_the_face_is_described_by_the_models_class_token(vit: Path, tmp_path: Path) -> None:
    from transformers import ViTModel

    clip = film(tmp_path / "a.mp4", lambda time: scene((face(150, mouth=time % 0.5), 80, 40)), 1.0)
    encoder = FaceModel(f"face-model:{vit}")
    assert (encoder.width, encoder.modality, encoder.licence_note) == (16, "visual", None)
    encoded = encoder.encode([source(clip), source(None, "none")])
    assert encoded.present.tolist() == [True, False]
    assert encoded.problems == ["dia0/none: no recording"]

    model: Any = ViTModel.from_pretrained(vit, add_pooling_layer=False)
    model.eval()
    crops = np.stack([seen.crop for seen in speaker_face(clip, CascadeDetector(), FaceSettings(), 32).faces])
    pixels = (crops / 255 - np.array(NORMALISED["image_mean"])) / np.array(NORMALISED["image_std"])
    with torch.inference_mode():
        states = model(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32)).last_hidden_state
    np.testing.assert_allclose(encoded.features[0], states[:, 0].mean(dim=0).numpy(), atol=1e-4)


def test_the_name_pins_the_weights(vit: Path) -> None:
    name = FaceModel(f"face-model:{vit}").name
    path, _, digits = name.rpartition("@")
    assert path == f"face-model:{vit}"
    assert len(digits) == 8
    assert feature_encoder(name).name == name
    with pytest.raises(InputError, match=r"the weights in .* have another SHA-256"):
        FaceModel(f"face-model:{vit}@{'0' * 8}")


def test_settings_stand_between(vit: Path, tmp_path: Path) -> None:
    encoder = FaceModel(f"face-model:speaking,fps=12:{vit}")
    assert encoder.name.startswith(f"face-model:speaking,fps=12:{vit}@")
    with pytest.raises(InputError, match=r"unknown setting 'fps=x'"):
        FaceModel(f"face-model:fps=x:{vit}")
    odd = tmp_path / "a:b"
    odd.symlink_to(vit)
    assert FaceModel(f"face-model:{odd}").width == 16


def test_a_model_of_maps_without_a_class_token_is_averaged_over_the_picture(tmp_path: Path) -> None:
    from transformers import ResNetConfig, ResNetModel

    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")
    folder = _saved(tmp_path / "resnet", ResNetModel(config), size=32)
    clip = film(tmp_path / "a.mp4", lambda _: scene((face(150), 80, 40)), 0.5)
    encoded = FaceModel(f"face-model:{folder}").encode([source(clip)])
    assert encoded.features.shape == (1, 12)
    assert encoded.present.all()
    assert np.ptp(encoded.features) > 0


def test_preprocessing_does_what_the_librarys_own_does(tmp_path: Path) -> None:
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    path = tmp_path / "preprocessor_config.json"
    for said in ({}, {"do_rescale": False}, {"do_normalize": False}, {"rescale_factor": 1 / 127.5}):
        settings: dict[str, Any] = {"size": {"height": 32, "width": 32}, **NORMALISED, **said}
        path.write_text(json.dumps(settings), encoding="utf-8")
        expected = ViTImageProcessorPil(**settings)(picture, return_tensors="np")["pixel_values"]
        np.testing.assert_allclose(Preprocessing.read(path).apply(picture[None]), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("said", "resized", "size"),
    [
        ({"size": 48}, 48, 48),
        ({"size": {"height": 48, "width": 48}}, 48, 48),
        ({"size": {"shortest_edge": 64}, "do_center_crop": True, "crop_size": {"height": 56, "width": 56}}, 64, 56),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, 256, 224),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, 384, 384),
    ],
)
def test_every_way_of_saying_the_size(said: dict[str, Any], resized: int, size: int, tmp_path: Path) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({**NORMALISED, **said}), encoding="utf-8")
    preprocessing = Preprocessing.read(path)
    assert (preprocessing.resized, preprocessing.size) == (resized, size)
    seen = preprocessing.apply(np.zeros((2, resized, resized, 3), dtype=np.uint8))
    assert seen.shape == (2, 3, size, size)
    assert seen.dtype == np.float32


NOTHING = [
    "",
    "[]",
    "{}",
    '{"size": {}}',
    '{"size": "large"}',
    '{"size": 32}',
    '{"size": 0, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}',
    '{"size": 99999, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}',
    '{"size": 32, "image_mean": [0, 0, 0], "image_std": [1, 0, 1]}',
    '{"size": 32, "image_mean": [0], "image_std": [1]}',
]


@pytest.mark.parametrize("said", NOTHING)
def test_a_preprocessor_file_that_says_nothing_is_refused(said: str, tmp_path: Path) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(said, encoding="utf-8")
    with pytest.raises(InputError, match="missing or invalid"):
        Preprocessing.read(path)


@pytest.mark.parametrize("model", ["", "no/such", "owner/name", "owner/name@main", "owner/name@abc"])
def test_a_model_that_is_not_here_and_not_pinned_is_refused(model: str) -> None:
    with pytest.raises(InputError, match="neither an existing folder nor a pinned revision"):
        feature_encoder(f"face-model:{model}")


def test_a_pinned_revision_is_fetched_without_code_and_pickles(vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def download(repository: str, revision: str, allow_patterns: list[str]) -> str:
        asked.update(repository=repository, revision=revision, patterns=allow_patterns)
        return str(vit)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    name = f"face-model:owner/name@{'a1' * 20}"
    assert feature_encoder(name).name == name
    assert (asked["repository"], asked["revision"]) == ("owner/name", "a1" * 20)
    assert not any(pattern.endswith((".py", ".bin", "*")) for pattern in asked["patterns"])


def test_a_revision_that_cannot_be_fetched_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: Any, **__: Any) -> str:
        raise OSError("no network\nat all")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(InputError, match="cannot be fetched from the hub") as caught:
        feature_encoder(f"face-model:owner/name@{'a1' * 20}")
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_and_a_model_of_words_are_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    with pytest.raises(InputError, match="no Hugging Face model can be loaded"):
        FaceModel(f"face-model:{tmp_path}")
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    folder = _saved(tmp_path / "bert", BertModel(config))
    with pytest.raises(InputError, match="cannot process pictures of 32 pixels"):
        FaceModel(f"face-model:{folder}")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"preprocessor_config\.json"):
        FaceModel(f"face-model:{folder}")
