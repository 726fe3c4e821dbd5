"""Several published files of the same data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.pickles import read_pickles
from sdt.errors import InputError
from tests.corpus.importers import layouts

ROBERTA = "roberta-large (fine-tuned, last layer, first token)"


def _read(files: list[Path], **options: Any) -> CorpusBuilder:
    builder = read_pickles(files, ImportOptions(**options))
    builder.check()
    return builder


def _refused(files: list[Path], **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        _read(files, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _pair(folder: Path, corpus: str) -> list[Path]:
    return [
        layouts.write(folder / f"{name}.pkl", layouts.BUILDERS[f"{name}-{corpus}"](), protocol=2)
        for name in ("cosmic", "mmgcn")
    ]


@pytest.mark.parametrize("corpus", ["iemocap", "meld"])
@pytest.mark.parametrize("backwards", [False, True])
def test_text_from_cosmic_audio_and_visual_from_mmgcn(tmp_path: Path, corpus: str, backwards: bool) -> None:
    cosmic, mmgcn = _pair(tmp_path, corpus)
    builder = _read([mmgcn, cosmic] if backwards else [cosmic, mmgcn])
    widths = {modality: table.features.shape[1] for modality, table in builder.features.items()}
    assert widths == layouts.WIDTHS
    assert builder.features["text"].encoder == ROBERTA
    assert builder.features["text"].source == str(cosmic)
    assert builder.features["audio"].source == str(mmgcn)
    assert f"text: from {cosmic} ({ROBERTA}), not from {mmgcn} (textcnn)" in builder.notes
    assert builder.splits["dev"] == (["Ses02M_impro03"] if corpus == "iemocap" else ["1039"])
    assert any(f"dev (the list in {cosmic})" in note for note in builder.notes)
    # MMGCN has IEMOCAP's utterance ids; COSMIC has none.
    assert builder.conversations[0].utterances[1].id == ("Ses01F_impro01_M001" if corpus == "iemocap" else "1")
    assert builder.provenance["layouts"] == {"cosmic.pkl": f"cosmic-{corpus}", "mmgcn.pkl": f"mmgcn-{corpus}"}


def test_take_overrides_who_wins(tmp_path: Path) -> None:
    cosmic, mmgcn = _pair(tmp_path, "iemocap")
    builder = _read([cosmic, mmgcn], take={"text": mmgcn})
    assert builder.features["text"].encoder == "textcnn"
    assert f"text: from {mmgcn} (textcnn), not from {cosmic} ({ROBERTA})" in builder.notes
    assert "has no 'audio'; known are: text" in _refused([cosmic, mmgcn], take={"audio": cosmic})
    other = tmp_path / "other.pkl"
    assert f"text={other}" in _refused([cosmic, mmgcn], take={"text": other})


def test_of_equal_files_the_first_wins(tmp_path: Path) -> None:
    sdt = layouts.write(tmp_path / "sdt.pkl", layouts.sdt_iemocap())
    mmgcn = layouts.write(tmp_path / "mmgcn.pkl", layouts.mmgcn_iemocap())
    assert _read([mmgcn, sdt]).features["audio"].source == str(mmgcn)
    assert _read([sdt, mmgcn]).features["audio"].source == str(sdt)
    assert _read([mmgcn, sdt]).features["text"].source == str(sdt)


def test_multiemo_with_mmgcn(tmp_path: Path) -> None:
    mmgcn = layouts.write(tmp_path / "mmgcn.pkl", layouts.mmgcn_iemocap())
    # The names of the files say nothing.
    parts = [
        layouts.write(tmp_path / f"{number}.pkl", layouts.multiemo(layouts.IEMOCAP_LENGTHS, modality))
        for number, modality in enumerate(("visual", "text", "audio"))
    ]
    builder = _read([*parts, mmgcn])
    assert {m: (t.features.shape[1], t.encoder) for m, t in builder.features.items()} == {
        "text": (768, "multiemo:text"),
        "audio": (512, "multiemo:audio"),
        "visual": (1000, "multiemo:visual"),
    }
    assert f"{parts[0]}: layout 'multiemo': visual of 5 conversations" in builder.notes
    assert "features only" in _refused(parts)


def test_a_dictionary_of_unknown_width_is_named_by_take(tmp_path: Path) -> None:
    mmgcn = layouts.write(tmp_path / "mmgcn.pkl", layouts.mmgcn_iemocap())
    pose = layouts.write(tmp_path / "pose.pkl", layouts.features(layouts.IEMOCAP_LENGTHS, 9, 1))
    assert "9 features" in _refused([mmgcn, pose])
    builder = _read([mmgcn, pose], take={"pose": pose})
    assert list(builder.features) == ["text", "audio", "visual", "pose"]
    assert builder.features["pose"].encoder == "unknown"
    assert list(_read([mmgcn, pose], take={"text": pose}).features) == ["text", "audio", "visual"]


def test_dialogue_60_in_one_of_two_files(tmp_path: Path) -> None:
    with_60 = {**layouts.MELD_LENGTHS, 60: 2}
    content = layouts.mmgcn_meld(with_60)
    mmgcn = layouts.write(tmp_path / "mmgcn.pkl", (*content[:7], [*content[7], 60], *content[8:]))
    cosmic = layouts.write(tmp_path / "cosmic.pkl", layouts.cosmic_meld())
    builder = _read([mmgcn, cosmic])
    assert "60" not in {conversation.id for conversation in builder.conversations}
    assert any("conversation 60 ignored" in note for note in builder.notes)
    assert "60" in {conversation.id for conversation in _read([mmgcn]).conversations}


def _disagreement(folder: Path, place: int, change: dict[Any, Any]) -> str:
    """What is said of a MMGCN file beside one of COSMIC whose item `place` was changed."""
    content = layouts.cosmic_meld()
    changed = (*content[:place], {**content[place], **change}, *content[place + 1 :])
    cosmic = layouts.write(folder / "cosmic.pkl", changed)
    return _refused([layouts.write(folder / "mmgcn.pkl", layouts.mmgcn_meld()), cosmic])


def test_files_must_agree(tmp_path: Path) -> None:
    assert "cosmic.pkl: conversation '0', utterance 1 (from 0) has label 6, but 4 in" in _disagreement(
        tmp_path, 1, {"0": [3, 6, 5]}
    )
    mmgcn = layouts.write(tmp_path / "mmgcn.pkl", layouts.mmgcn_meld())
    longer = layouts.write(tmp_path / "longer.pkl", layouts.cosmic_meld({**layouts.MELD_LENGTHS, 2: 5}))
    assert f"{longer}: conversation '2' has 5 utterances, but 4 in {mmgcn}" in _refused([mmgcn, longer])
    more = layouts.write(tmp_path / "more.pkl", layouts.cosmic_meld({**layouts.MELD_LENGTHS, 3: 1}))
    assert f"{mmgcn}: conversation '3' of {more}" in _refused([mmgcn, more])
    fewer = layouts.write(tmp_path / "fewer.pkl", layouts.features({0: 3}, 768, 1))
    assert f"{fewer}: conversation '1' of {mmgcn}" in _refused([mmgcn, fewer])
    short = layouts.write(tmp_path / "short.pkl", layouts.features({**layouts.MELD_LENGTHS, 1: 2}, 768, 1))
    assert f"{short}: text, conversation '1': features of 2 utterances, but 1" in _refused([mmgcn, short])
    other = layouts.write(tmp_path / "other.pkl", layouts.cosmic_iemocap())
    assert f"{other}: made from iemocap, but {mmgcn} from meld" in _refused([mmgcn, other])
    content = layouts.cosmic_meld()
    moved = layouts.write(tmp_path / "moved.pkl", (*content[:8], ["0", "1", "2", "1153"], ["1432"], ["1039"]))
    assert f"{moved}: conversation '1153' is not in test, unlike in {mmgcn}" in _refused([mmgcn, moved])


def test_a_named_layout_is_that_of_the_first_file(tmp_path: Path) -> None:
    cosmic, mmgcn = _pair(tmp_path, "iemocap")
    assert _read([cosmic, mmgcn], layout="cosmic-iemocap").name == "iemocap"
    assert f"{mmgcn}: not of layout 'cosmic-iemocap'" in _refused([mmgcn, cosmic], layout="cosmic-iemocap")
