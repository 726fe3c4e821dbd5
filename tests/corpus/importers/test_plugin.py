"""An importer in an installed package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdt.corpus.importers import IMPORTERS, ImportOptions
from sdt.corpus.importing import import_corpus
from sdt.errors import InputError
from tests.plugin_packages import install_plugin

DIARY = """
import numpy as np
from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers import Imported, Importer
from sdt.feature_table import FeatureTable
from sdt.speakers import Speakers

def read(files, options):
    lines = files.annotations[0].read_text().splitlines()
    days = [Conversation(str(n), (Utterance("0", "I", line, line.split()[0]),)) for n, line in enumerate(lines)]
    features = {"words": FeatureTable(np.ones((len(days), 1), np.float32), np.ones(len(days), bool), "ones")}
    labels = tuple(sorted({day.utterances[0].label for day in days}))
    splits = {"train": [day.id for day in days]}
    builder = CorpusBuilder("diary", days, labels, splits, features, Speakers.from_conversations(days, "appearance"))
    return Imported("diary", builder, files.annotations[0])

IMPORTER = Importer("diary", "one day per line", lambda path, encoding: path.suffix == ".diary", read)
"""


@pytest.fixture
def diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    points = {"sdt.importers": {"diary": "diary_importer:IMPORTER"}}
    install_plugin(tmp_path / "site", monkeypatch, "diary-importer", points, diary_importer=DIARY)
    path = tmp_path / "mine.diary"
    path.write_text("happy day\nsad day\nhappy again\n")
    return path


@pytest.mark.parametrize("layout", [None, "diary"])
def test_an_importer_of_a_package_reads_what_it_recognises(diary: Path, layout: str | None) -> None:
    builder = import_corpus([diary], ImportOptions(layout=layout))
    builder.check()
    assert (builder.name, builder.labels, len(builder.conversations)) == ("diary", ("happy", "sad"), 3)
    assert builder.provenance["importer"] == "diary"
    assert np.array_equal(builder.features["words"].features, np.ones((3, 1)))
    assert list(IMPORTERS)[-1] == "diary"


def test_a_near_miss_names_the_importer_of_a_package(diary: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'diary'"):
        import_corpus([diary], ImportOptions(layout="diarry"))


def test_a_broken_package_is_named(diary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"sdt.importers": {"broken": "missing_importer:IMPORTER"}}
    install_plugin(diary.parent / "other", monkeypatch, "broken-importer", points)
    with pytest.raises(InputError, match="broken-importer"):
        import_corpus([diary], ImportOptions(layout="broken"))
