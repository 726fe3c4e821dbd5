from __future__ import annotations

import json
import shutil
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.encoders.encoder import feature_encoder
from sdt.encoders.int8_weights import is_int8
from sdt.encoders.pretrained import weights_sha256
from sdt.encoders.text import encode_conversations, text_encoder
from sdt.encoders.text_model import find_text_model
from sdt.encoders.text_pieces import split_into_pieces
from sdt.errors import InputError
from sdt.evaluation.compatibility import check_compatibility
from sdt.evaluation.outputs import run_model
from sdt.models.batch_prediction import to_predictions
from sdt.models.config import Architecture
from sdt.models.sdt.model import SDT
from sdt.prediction import Pipeline
from sdt.training.display import Display
from sdt.training.finetune import finetune
from sdt.training.finetune_model import Classifier, Texts
from sdt.training.finetune_run import FineTuningRun, Part
from sdt.training.finetune_settings import FineTuning, epoch_batches, rate_factor
from sdt.training.run import train
from sdt.training.settings import Recipe, Training
from tests.encoders.tiny_bert import WORDS, make_spoken, write_bert


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(make_spoken(), tmp_path_factory.mktemp("corpora") / "spoken")


@pytest.fixture(scope="module")
def settings(bert: Path) -> FineTuning:
    return FineTuning(str(bert), epochs=6, batch=4, learning_rate=3e-2, head_learning_rate=3e-2, dropout=0.0)


@pytest.fixture(scope="module")
def tuned(corpus: Corpus, settings: FineTuning, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "encoder"
    finetune(corpus, folder, settings)
    return folder


@pytest.fixture(scope="module")
def adapter(corpus: Corpus, settings: FineTuning, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "adapter"
    finetune(corpus, folder, replace(settings, lora=True))
    return folder


class Stop(Display):
    """Stops the run where Ctrl-C would."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def finish_batch(self, utterances: int, loss: float) -> None:  # noqa: ARG002
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def weights(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def test_it_learns_and_says_what_it_did(tuned: Path, corpus: Corpus, settings: FineTuning, bert: Path) -> None:
    record = json.loads((tuned / "finetune.json").read_text())
    assert record["scores"]["dev"]["weighted_f1"] > 0.9
    assert record["scores"]["test"]["weighted_f1"] > 0.9
    # Utterances without a label or without text are not scored: 18 less those.
    assert record["scores"]["dev"]["utterances"] == 18 - 3 - 1
    assert set(record["scores"]) == {"dev", "test"}
    assert record["corpus"] == {"name": "spoken", "sha256": corpus.fingerprint, "licence": "unknown"}
    assert record["base"] == {"encoder": str(bert), "sha256": weights_sha256(bert)}
    assert record["sha256"] == weights_sha256(tuned) != weights_sha256(bert)
    assert record["settings"]["learning_rate"] == settings.learning_rate
    best = max(record["history"], key=lambda line: line["dev"]["weighted_f1"])
    assert record["epoch"] == best["epoch"]
    assert not (tuned / "checkpoint").exists()
    assert len({path.stat().st_mode for path in tuned.iterdir()}) == 1


def test_the_folder_is_an_encoder_with_the_pooling_it_was_trained_with(
    corpus: Corpus, settings: FineTuning, tmp_path: Path
) -> None:
    finetune(corpus, tmp_path / "e", replace(settings, encoder=f"{settings.encoder}:mean", epochs=1))
    texts = ["oh god !", "oh oh what !"]
    encoder = text_encoder(str(tmp_path / "e"))
    np.testing.assert_array_equal(encoder.encode(texts), text_encoder(f"{tmp_path / 'e'}:mean").encode(texts))
    assert not np.allclose(encoder.encode(texts), text_encoder(f"{tmp_path / 'e'}:first").encode(texts), atol=1e-3)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    tuned: Path, corpus: Corpus, settings: FineTuning, tmp_path: Path
) -> None:
    finetune(corpus, tmp_path / "again", settings)
    assert weights(tmp_path / "again") == weights(tuned)
    assert (tmp_path / "again" / "finetune.json").read_text() == (tuned / "finetune.json").read_text()
    finetune(corpus, tmp_path / "other", replace(settings, seed=1))
    assert weights(tmp_path / "other") != weights(tuned)


@pytest.mark.parametrize("lora", [False, True])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    tuned: Path, adapter: Path, corpus: Corpus, settings: FineTuning, tmp_path: Path, lora: bool
) -> None:
    settings = replace(settings, lora=lora, dropout=0.0)
    output = tmp_path / "e"
    for after in (3, 15):  # in the first epoch and in the second
        with pytest.raises(KeyboardInterrupt):
            finetune(corpus, output, settings, resume=True, display=Stop(after))
        assert {path.name for path in output.iterdir()} <= {"settings.json", "checkpoint"}
        with pytest.raises(InputError, match="fine-tuning is not finished" if after == 15 else "has no weights"):
            text_encoder(str(output))
    with pytest.raises(InputError, match="unfinished fine-tuning run; resume it with --resume"):
        finetune(corpus, output, settings)
    with pytest.raises(InputError, match="other settings: the run has batch 4, not 5"):
        finetune(corpus, output, replace(settings, batch=5), resume=True)
    finetune(corpus, output, settings, resume=True)
    expected = adapter if lora else tuned
    assert weights(output) == weights(expected)
    assert json.loads((output / "finetune.json").read_text()) == json.loads((expected / "finetune.json").read_text())
    assert finetune(corpus, output, settings, resume=True)["sha256"] == weights_sha256(output)  # finished already


def test_an_adapter_is_what_peft_makes_of_it(adapter: Path, bert: Path) -> None:
    import peft
    from transformers import AutoModel

    assert {path.name for path in adapter.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "finetune.json",
    }
    texts = ["oh god !", "what ?"]
    encoder = text_encoder(f"{bert}+{adapter}:first")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        peft_model = peft.PeftModel.from_pretrained(AutoModel.from_pretrained(bert), str(adapter)).eval()
    tokens = text_encoder(str(bert))._runner.tokenizer(texts, padding=True, return_tensors="pt")  # type: ignore[attr-defined]
    with torch.no_grad():
        expected = peft_model(**tokens).last_hidden_state[:, 0].numpy()
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-5)
    assert not np.allclose(text_encoder(str(bert)).encode(texts), expected, atol=1e-2)


def test_an_adapter_is_named_with_its_model(adapter: Path, bert: Path, tmp_path: Path) -> None:
    digits = weights_sha256(adapter)[:8]
    encoder = feature_encoder(f"{bert}+{adapter}")
    assert encoder.name == f"{bert}+{adapter}@{digits}"
    assert encoder.modality == "text"
    shutil.copytree(adapter, tmp_path / "model" / "text-adapter")
    inside = feature_encoder(f"{bert}+text-adapter@{digits}", base=tmp_path / "model")
    assert inside.name == f"{bert}+text-adapter@{digits}"
    with pytest.raises(InputError, match="contains an adapter"):
        text_encoder(str(adapter))


def test_a_trained_model_carries_the_adapter_of_its_features(adapter: Path, bert: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(adapter, tmp_path / "elsewhere")
    builder = make_spoken()
    builder.features = {"text": encode_conversations(text_encoder(f"{bert}+{elsewhere}"), builder.conversations)}
    corpus = write_corpus(builder, tmp_path / "corpus")
    recipe = Recipe(str(corpus.folder), model=Architecture(width=8, heads=2), training=Training(epochs=1))
    run = train(recipe, tmp_path / "run")
    shutil.rmtree(elsewhere)
    digits = weights_sha256(adapter)[:8]
    model = SDT.from_pretrained(run.path)
    assert model.config.encoders == {"text": f"{bert}+text-adapter@{digits}"}
    assert str(elsewhere) not in (run.model / "README.md").read_text()
    assert check_compatibility(model.config, corpus) == []  # the corpus' own name of the same weights
    said = Pipeline.from_pretrained(run.model)(builder.conversations[:2])
    outputs = run_model(model, corpus, builder.conversations[:2])
    expected = to_predictions(outputs, model.config, outputs.utterance_keys)
    for one, other in zip(said, expected, strict=True):
        assert one.emotion == other.emotion
        assert one.probability == pytest.approx(other.probability, abs=1e-4)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_scores_pool_all_pieces_of_a_long_text(bert: Path, settings: FineTuning, pooling: str) -> None:
    """As the encoder's pooled vectors, classified; an epoch reads one piece of each text."""
    words = np.random.default_rng(0).choice(WORDS[5:], size=(12, 40))
    texts = [" ".join(of[: 3 + 4 * row]) for row, of in enumerate(words)]
    text_model = find_text_model(f"{bert}:{pooling}")
    tokenizer, encoder = text_model.load()
    torch.manual_seed(0)
    model = Classifier(encoder, text_model, [3], settings).eval()
    vectors = torch.from_numpy(text_encoder(f"{bert}:{pooling}").encode(texts))
    with torch.no_grad():
        model.head.bias.copy_(-model.head.weight @ vectors.mean(dim=0))  # so that not all are of one class
        label = model.head(vectors).argmax(dim=1)
    assert len(label.unique()) > 1
    of = Texts(split_into_pieces(tokenizer, texts, 10), label, label)
    run = FineTuningRun(model, [Part({"train": of}, ("a", "b", "c"))], settings, tokenizer.pad_token_id, Display())
    assert run.evaluate(0, "train").accuracy == 1

    read: list[tuple[int, ...]] = []
    encoder.register_forward_pre_hook(lambda *given: read.append(given[2]["input_ids"].shape), with_kwargs=True)
    run._epoch(1)
    assert sum(rows for rows, _ in read) == len(texts)
    assert max(columns for _, columns in read) == 10


def test_an_adapter_does_not_fit_another_model(adapter: Path, tmp_path: Path) -> None:
    other = write_bert(tmp_path, seed=1)
    with pytest.raises(InputError, match="was fine-tuned on the weights of"):
        text_encoder(f"{other}+{adapter}")


@pytest.mark.parametrize(
    ("rank", "outputs", "inputs", "value"), [(1, 200_000, 200_000, 0.0), (0, 8, 8, 0.0), (1, 8, 8, float("inf"))]
)
def test_a_hostile_adapter_is_refused(
    adapter: Path, bert: Path, tmp_path: Path, rank: int, outputs: int, inputs: int, value: float
) -> None:
    folder = shutil.copytree(adapter, tmp_path / "adapter")
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**settings, "r": rank}))
    path = folder / "adapter_model.safetensors"
    name = next(name for name in load_file(path) if name.endswith(".lora_A.weight"))
    tensors = {
        name: torch.full((max(rank, 1), inputs), value),
        name.replace("lora_A", "lora_B"): torch.ones(outputs, max(rank, 1)),
    }
    save_file(tensors, path)
    with pytest.raises(InputError, match="damaged adapter"):
        text_encoder(f"{bert}+{folder}")


def test_an_adapters_record_holds_no_path_of_its_own(adapter: Path) -> None:
    for path in adapter.glob("*.json"):
        assert str(adapter) not in path.read_text()


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json", "finetune.json"])
def test_a_damaged_adapter_is_refused_in_one_line(adapter: Path, bert: Path, tmp_path: Path, file: str) -> None:
    damaged = shutil.copytree(adapter, tmp_path / "a")
    (damaged / file).write_bytes((damaged / file).read_bytes()[:40])
    with pytest.raises(InputError, match="damaged") as caught:
        text_encoder(f"{bert}+{damaged}")
    assert "\n" not in str(caught.value)


def test_what_cannot_be_fine_tuned_is_refused(
    corpus: Corpus, settings: FineTuning, tuned: Path, adapter: Path, bert: Path, tmp_path: Path
) -> None:
    output = tmp_path / "e"
    for name in (f"{bert}:layers", f"{bert}+{adapter}"):
        with pytest.raises(InputError, match="and no adapter"):
            finetune(corpus, output, replace(settings, encoder=name))
    no_dev = write_corpus(make_spoken({"train": 2, "test": 2}), tmp_path / "no-dev")
    with pytest.raises(InputError, match="needs the split 'dev'"):
        finetune(no_dev, output, settings)
    assert not output.exists()
    with pytest.raises(InputError, match="a finished fine-tuning"):
        finetune(corpus, tuned, settings)
    (output / "x").mkdir(parents=True)
    with pytest.raises(InputError, match="is not empty and not a fine-tuning run"):
        finetune(corpus, output, settings, resume=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch", 0),
        ("dropout", 1.0),
        ("warmup", -0.1),
        ("learning_rate", 0.0),
        ("label_smoothing", 1.5),
        ("layer_decay", 0.0),
        ("clip", float("nan")),
    ],
)
def test_settings_that_make_no_sense_are_named(name: str, value: float) -> None:
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(InputError, match=name):
        FineTuning(**wrong)


def test_class_weights_and_smoothing_change_what_is_learnt(
    corpus: Corpus, settings: FineTuning, tmp_path: Path
) -> None:
    plain = replace(settings, epochs=1)
    changes = [plain, replace(plain, class_weights=True), replace(plain, label_smoothing=0.2)]
    changes.append(replace(plain, layer_decay=0.5))
    sums = {finetune(corpus, tmp_path / str(n), change)["sha256"] for n, change in enumerate(changes)}
    assert len(sums) == len(changes)


def test_an_encoder_in_int8_has_the_scores_of_its_record(corpus: Corpus, settings: FineTuning, tmp_path: Path) -> None:
    record = finetune(corpus, tmp_path / "small", replace(settings, int8=True))
    assert is_int8(tmp_path / "small")
    assert record["scores"]["dev"]["weighted_f1"] == 1
    plain = finetune(corpus, tmp_path / "plain", settings)
    assert plain["history"] == record["history"]
    texts = ["oh my !", "what ?", "god"]
    exact, found = (text_encoder(str(tmp_path / name)).encode(texts) for name in ("plain", "small"))
    assert 0 < np.abs(exact - found).max() < 0.1
    with pytest.raises(InputError, match="int8"):
        replace(settings, int8=True, lora=True)


def test_batches_hold_every_text_once_and_similar_lengths() -> None:
    lengths = np.random.default_rng(0).integers(3, 40, 500).tolist()
    batches = epoch_batches(lengths, 8, np.random.default_rng(1))
    assert Counter(index for batch in batches for index in batch) == Counter(range(500))
    assert max(map(len, batches)) == 8
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    assert batches != epoch_batches(lengths, 8, np.random.default_rng(2))


def test_the_rate_rises_and_falls() -> None:
    shares = [rate_factor(step, 20, 0.2) for step in range(20)]
    assert shares[:4] == [0.25, 0.5, 0.75, 1.0]
    assert shares[4] == 1.0
    np.testing.assert_allclose(np.diff(shares[4:]), -1 / 16)
    assert shares[-1] > 0
    assert rate_factor(0, 20, 0.0) == 1.0
