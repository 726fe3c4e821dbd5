"""Speech models: tiny ones with random weights, saved as a hub's would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from sdt.conversation import Utterance
from sdt.encoders.audio_speech import Speech
from sdt.encoders.encoder import Source, feature_encoder
from sdt.errors import InputError
from sdt.media.clip import Clip
from tests.encoders.clips import noise, write_clip

hub: Any = transformers  # not all of its functions are typed


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "wav2vec2"
    torch.manual_seed(0)
    config = hub.Wav2Vec2Config(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16, 16),
        conv_kernel=(10, 8),
        conv_stride=(10, 8),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
    )
    hub.Wav2Vec2Model(config).save_pretrained(folder)
    hub.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    sizes = {"a": 0.4, "b": 1.1, "short": 0.05}
    return [
        Source("c", Utterance(name, "x"), Clip(write_clip(tmp_path / f"{name}.wav", noise(seconds, seed=k))))
        for k, (name, seconds) in enumerate(sizes.items())
    ]


def test_the_last_layer_is_averaged(wav2vec2: Path, sources: list[Source]) -> None:
    encoder = feature_encoder(f"speech:{wav2vec2}")
    assert encoder.width == 24
    assert encoder.name.startswith(f"speech:{wav2vec2}@")
    encoded = encoder.encode(sources)
    assert encoded.problems == ["c/short: shorter than 0.1 s"]
    samples = noise(1.1, seed=1)[0].astype(np.float64)
    samples = (samples * 32768).round() / 32768  # as the file holds them
    normal = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    model = hub.Wav2Vec2Model.from_pretrained(wav2vec2).eval()
    with torch.inference_mode():
        hidden = model(torch.tensor(normal[None], dtype=torch.float32)).last_hidden_state
    np.testing.assert_allclose(encoded.features[1], hidden.mean(dim=1)[0].numpy(), atol=1e-4)


def test_company_changes_nothing(wav2vec2: Path, sources: list[Source]) -> None:
    encoder = Speech(f"speech:{wav2vec2}")
    together, alone = encoder.encode(sources).features, encoder.encode(sources[:1]).features
    np.testing.assert_allclose(together[:1], alone, atol=1e-6)


def test_long_utterances_are_heard_in_parts(wav2vec2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdt.encoders.audio_speech.LONGEST", 0.5)
    path = write_clip(tmp_path / "long.wav", noise(1.2))
    encoder = Speech(f"speech:{wav2vec2}")
    parts = [Source("c", Utterance(str(k), "x"), Clip(path, k * 0.4, (k + 1) * 0.4)) for k in range(3)]
    whole = encoder.encode([Source("c", Utterance("w", "x"), Clip(path))]).features[0]
    np.testing.assert_allclose(whole, encoder.encode(parts).features.mean(axis=0), atol=1e-4)


def test_whisper_s_silent_rest_is_left_out(tmp_path: Path, sources: list[Source]) -> None:
    config = hub.WhisperConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, vocab_size=64, num_mel_bins=80, pad_token_id=0, bos_token_id=0,
        eos_token_id=0, decoder_start_token_id=0,
    )  # fmt: skip
    hub.WhisperModel(config).save_pretrained(tmp_path / "whisper")
    hub.WhisperFeatureExtractor().save_pretrained(tmp_path / "whisper")
    encoder = Speech(f"speech:{tmp_path / 'whisper'}")
    assert encoder.width == 16
    assert encoder._hidden(noise(0.5)[0]).shape == (25, 16)
    assert encoder.encode(sources).present.tolist() == [True, True, False]


def test_a_name_on_the_hub_needs_its_revision() -> None:
    for name in ("facebook/wav2vec2-base", "facebook/wav2vec2-base@main", ""):
        with pytest.raises(InputError, match="pinned revision"):
            Speech(f"speech:{name}")


def test_a_pinned_revision_is_fetched(wav2vec2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(repository: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append((repository, revision))
        assert not any("bin" in pattern or "py" in pattern for pattern in allow_patterns)
        return str(wav2vec2)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    name = f"speech:owner/name@{'0a' * 20}"
    assert Speech(name).name == name
    assert asked == [("owner/name", "0a" * 20)]


def test_other_weights_under_the_same_name_are_refused(wav2vec2: Path) -> None:
    with pytest.raises(InputError, match="have another SHA-256"):
        Speech(f"speech:{wav2vec2}@00000000")


def test_a_folder_without_a_speech_model_is_refused(tmp_path: Path, wav2vec2: Path) -> None:
    with pytest.raises(InputError, match="no Hugging Face model can be loaded"):
        Speech(f"speech:{tmp_path}")
    for path in wav2vec2.iterdir():
        if path.name != "preprocessor_config.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="missing or invalid"):
        Speech(f"speech:{tmp_path}")
