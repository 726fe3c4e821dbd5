from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")

from sdt.corpus.builder import write_corpus
from sdt.corpus.importers import ImportOptions
from sdt.corpus.importers.release_iemocap import read_iemocap
from sdt.corpus.importers.release_meld import read_meld_release
from sdt.corpus.importing import import_corpus
from sdt.encoders.audio_prosody import Prosody
from sdt.encoders.cache import FeatureCache
from sdt.encoders.encoder import Encoded, Progress, Source
from sdt.encoders.visual import Faces
from sdt.errors import InputError
from sdt.media.clip import Clip
from sdt.media.video import decode_frames
from tests.encoders.clips import noise, write_clip
from tests.encoders.drawn import face, scene

# Dialog, (utterance, start, end, tag).
DIALOGS = {
    "Ses01F_impro01": [("F000", 0.0, 1.0, "neu"), ("M000", 1.0, 2.0, "fru"), ("F001", 2.0, 3.0, "xxx")],
    "Ses02M_impro02": [("M000", 0.5, 1.5, "exc"), ("F000", 0.0, 1.0, "hap")],
    "Ses05F_script01_1": [("F000", 0.0, 1.0, "ang"), ("M000", 1.0, 2.0, "sad"), ("M001", 2.0, 3.0, "sur")],
}
MELD_HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"


def write_iemocap(folder: Path) -> Path:
    """IEMOCAP_full_release with three dialogs; their films of three seconds have a face in the left half only."""
    root = folder / "IEMOCAP_full_release"
    faces_left = write_clip(folder / "left.avi", pictures=[scene((face(100), 30, 60))] * 24, per_second=8)
    for dialog, utterances in DIALOGS.items():
        session = root / f"Session{dialog[4]}"
        folders = ("EmoEvaluation/Categorical", "transcriptions", "avi/DivX")
        for folder in [session / "dialog" / name for name in folders] + [session / "sentences" / "wav" / dialog]:
            folder.mkdir(parents=True)
        evaluation = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        words = []
        for name, start, end, tag in utterances:
            id_ = f"{dialog}_{name}"
            evaluation += [f"[{start:.4f} - {end:.4f}]\t{id_}\t{tag}\t[2.5000, 2.5000, 2.5000]"]
            evaluation += ["C-E2:\tNeutral;\t()", "A-E3:\tval 3; act 2; dom  2;\t()", ""]
            words.append(f"{id_} [{start:08.4f}-{end:08.4f}]: Excuse me, it\x92s {name}.")
            write_clip(session / "sentences" / "wav" / dialog / f"{id_}.wav", noise(0.6, seed=len(words)))
        words += ["M: [BREATHING]", f"{dialog}_FXX0 [003.0000-003.5000]: Mmhmm."]
        (session / "dialog/EmoEvaluation" / f"{dialog}.txt").write_text("\n".join(evaluation), encoding="latin-1")
        (session / "dialog/EmoEvaluation" / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07Mac OS X")
        (session / "dialog/transcriptions" / f"{dialog}.txt").write_text("\n".join(words), encoding="latin-1")
        shutil.copy(faces_left, session / "dialog/avi/DivX" / f"{dialog}.avi")
        (session / "dialog/avi/DivX" / f"._{dialog}.avi").write_bytes(b"\x00\x05\x16\x07Mac OS X")
    return root


def write_meld(folder: Path) -> Path:
    """MELD.Raw with a dialogue or two in each split and the flaws of the real one."""
    root = folder / "MELD.Raw"
    places = {
        "train": (root / "train/train_splits", root / "train", [(0, 0, "joy"), (0, 1, "anger"), (125, 3, "neutral")]),
        "dev": (root / "dev/dev_splits_complete", root, [(0, 0, "joy"), (110, 7, "fear")]),
        "test": (root / "test/output_repeated_splits_test", root, [(0, 0, "sadness"), (0, 1, "joy")]),
    }
    for split, (folder, beside, utterances) in places.items():
        folder.mkdir(parents=True)
        lines = [MELD_HEADER]
        for dialogue, number, emotion in utterances:
            lines.append(
                f'{len(lines)},"Oh, it\x92s {split}",Ross,{emotion},neutral,{dialogue},{number},1,1,'
                '"00:00:01,000","00:00:02,500"'
            )
            clip = folder / f"dia{dialogue}_utt{number}.mp4"
            write_clip(clip, noise(0.6, seed=len(lines)), pictures=[scene((face(100), 30, 60))] * 5, per_second=8)
            (folder / f"._dia{dialogue}_utt{number}.mp4").write_bytes(b"\x00\x05\x16\x07Mac OS X")
        (beside / f"{split}_sent_emo.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    corrupt = root / "train/train_splits/dia125_utt3.mp4"
    corrupt.write_bytes(corrupt.read_bytes()[:300])
    (root / "dev/dev_splits_complete/dia110_utt7.mp4").unlink()
    shutil.copy(
        root / "test/output_repeated_splits_test/dia0_utt0.mp4",
        root / "test/output_repeated_splits_test/final_videos_testdia0_utt0.mp4",
    )
    return root


ENCODERS = ImportOptions(text_encoder="words:16", audio_encoder="prosody", visual_encoder="faces")


@pytest.fixture(scope="module")
def iemocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_iemocap(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def meld(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_meld(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_iemocap_becomes_a_corpus(iemocap: Path, cache: Path, tmp_path: Path) -> None:
    features = FeatureCache(cache)
    builder = import_corpus([iemocap], ENCODERS, cache=features)
    features.close()
    assert [conversation.id for conversation in builder.conversations] == list(DIALOGS)
    first, second, _ = builder.conversations
    assert [u.label for u in first.utterances] == ["neutral", "frustrated", None]
    assert [u.speaker for u in first.utterances] == ["F", "M", "F"]
    assert first.utterances[0].text == "Excuse me, it\u2019s F000."
    assert (first.utterances[1].start, first.utterances[1].end) == (1.0, 2.0)
    assert [u.id[-4:] for u in second.utterances] == ["F000", "M000"]  # as they were spoken
    assert builder.labels == ("happy", "sad", "neutral", "angry", "excited", "frustrated")
    assert builder.splits == {
        "train": ["Ses01F_impro01"],
        "dev": ["Ses02M_impro02"],
        "test": ["Ses05F_script01_1"],
    } or (builder.splits["test"] == ["Ses05F_script01_1"] and len(builder.splits["dev"]) == 1)
    assert builder.speakers.names == ("M", "F")
    assert {name: table.encoder for name, table in builder.features.items()} == {
        "text": "words:16",
        "audio": "prosody",
        "visual": "faces",
    }
    assert builder.features["audio"].present.all()
    # The film shows a face on the left alone, where the one with the markers sits.
    assert builder.features["visual"].present.tolist() == [True, False, True, False, True, True, False, False]
    assert any(note.startswith("visual: missing for 4 of 8 utterances") for note in builder.notes)
    assert builder.provenance["importer"] == "iemocap-release"
    corpus = write_corpus(builder, tmp_path / "c")
    corpus.verify()


def test_each_actor_is_in_a_half_of_the_picture(iemocap: Path) -> None:
    builder, clip, files = read_iemocap(iemocap, ImportOptions())
    assert len(files) == 6
    halves = {u.id: clip(c.id, u.id, "visual") for c in builder.conversations for u in c.utterances}
    wanted = {"Ses01F_impro01_F000": "left", "Ses01F_impro01_M000": "right", "Ses02M_impro02_M000": "left"}
    for id_, half in wanted.items():
        found = halves[id_]
        assert found is not None
        assert found.half == half
    cut = halves["Ses01F_impro01_M000"]
    assert cut is not None
    whole = [picture for _, picture in decode_frames(Clip(cut.path, cut.start, cut.end), 4)]
    right = [picture for _, picture in decode_frames(cut, 4)]
    assert len(right) == len(whole) == 4
    for seen, picture in zip(right, whole, strict=True):
        np.testing.assert_array_equal(seen, picture[:, 160:])


def test_the_folder_around_the_release_and_a_part_of_it_will_do(iemocap: Path, tmp_path: Path) -> None:
    builder = import_corpus([iemocap.parent], ImportOptions(text_encoder="words:16"))
    assert len(builder.conversations) == 3
    shutil.copytree(iemocap / "Session1", tmp_path / "part" / "Session1")
    shutil.copytree(iemocap / "Session2", tmp_path / "part" / "Session2")
    part = import_corpus(
        [tmp_path / "part"], ImportOptions(text_encoder="words:16", speakers="appearance", dev="share")
    )
    assert set(part.splits) == {"train", "dev"}
    assert part.speakers.mode == "appearance"


def test_meld_becomes_a_corpus_in_spite_of_its_flaws(meld: Path, cache: Path, tmp_path: Path) -> None:
    features = FeatureCache(cache)
    builder = import_corpus([meld], ENCODERS, cache=features)
    features.close()
    assert [c.id for c in builder.conversations] == ["train_0", "train_125", "dev_0", "dev_110", "test_0"]
    assert builder.splits == {"train": ["train_0", "train_125"], "dev": ["dev_0", "dev_110"], "test": ["test_0"]}
    assert builder.conversations[0].utterances[0].text == "Oh, it\u2019s train"
    for modality in ("audio", "visual"):
        assert builder.features[modality].present.tolist() == [True, True, False, True, False, True, True]
        (note,) = (note for note in builder.notes if note.startswith(f"{modality}: "))
        assert "missing for 2 of 7 utterances: " in note
        assert re.search(r"file not found in \S+ \(dev_110/7\)", note)
    assert builder.features["text"].present.all()
    corpus = write_corpus(builder, tmp_path / "c")
    assert corpus.provenance["importer"] == "meld-release"
    assert [file["name"] for file in corpus.provenance["files"]] == [
        f"{s}_sent_emo.csv" for s in ("train", "dev", "test")
    ]


def test_a_second_import_takes_the_features_from_the_cache(
    meld: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = FeatureCache(cache)
    first = import_corpus([meld], ENCODERS, cache=features)
    asked: list[tuple[str, str]] = []

    def encode(self: Faces | Prosody, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        asked.extend((self.name, source.location) for source in sources)
        problems = [f"{source.location}: file not found" for source in sources]
        return Encoded(np.zeros((len(sources), self.width), np.float32), np.zeros(len(sources), np.bool_), problems)

    monkeypatch.setattr(Faces, "encode", encode)
    monkeypatch.setattr(Prosody, "encode", encode)
    again = import_corpus([meld], ENCODERS, cache=features)
    features.close()
    assert asked == [("prosody", "dev_110/7"), ("faces", "dev_110/7")]  # what is not there has no key
    for modality, table in first.features.items():
        np.testing.assert_array_equal(table.features, again.features[modality].features)


def test_a_part_of_meld(meld: Path, tmp_path: Path) -> None:
    shutil.copytree(meld / "train", tmp_path / "part" / "train")
    builder, clip, _ = read_meld_release(tmp_path / "part", ImportOptions())
    assert set(builder.splits) == {"train"}
    found = clip("train_0", "1", "audio")
    assert found is not None
    assert found.path.name == "dia0_utt1.mp4"
    (tmp_path / "part" / "train" / "train_sent_emo.csv").unlink()
    with pytest.raises(InputError, match=r"put train_sent_emo\.csv into"):
        read_meld_release(tmp_path / "part", ImportOptions())


def test_what_cannot_be_done_is_said_in_one_line(meld: Path, iemocap: Path, tmp_path: Path) -> None:
    csv = meld / "dev_sent_emo.csv"
    cases = [
        ([tmp_path], ENCODERS, "neither IEMOCAP"),
        ([meld], ImportOptions(), "text-encoder"),
        ([meld], ImportOptions(audio_encoder="words:16"), "encodes text, not audio"),
        ([meld], ImportOptions(text_encoder="words:16", layout="iemocap-release"), "of the layout 'meld-release'"),
        ([csv], ImportOptions(text_encoder="words:16", audio_encoder="prosody"), "these files do not name recordings"),
        ([meld, csv], ENCODERS, "is a folder without"),
    ]
    for files, options, message in cases:
        with pytest.raises(InputError, match=message) as caught:
            import_corpus(files, options)
        assert "\n" not in str(caught.value)
    damaged = shutil.copytree(iemocap, tmp_path / "damaged")
    (damaged / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt").write_text("nothing")
    with pytest.raises(InputError, match="no utterance found"):
        import_corpus([damaged], ENCODERS)
