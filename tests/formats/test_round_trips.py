"""Every format that can be written: read(write(x)) is x, or x without exactly the losses that are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.formats.format import Format, Holds
from sdt.formats.table import BUILTIN, FORMATS
from sdt.formats.transcript import Transcript
from tests.formats.conversations import NAMES, ODD_NAMES, check_round_trip, many, transcripts

PLAIN_NAMES = ("srt", "audacity")
"""Formats in which a speaker is a name before a colon, so that it has to look like a name."""
NOT_TESTED = ("txt",)
"""Plain text guesses what is a name and what continues a line."""
WRITTEN = [format for format in BUILTIN if format.write and format.readable and format.name not in NOT_TESTED]


def of_format(format: Format) -> st.SearchStrategy[Transcript]:
    """Conversations that a format does not refuse."""
    return transcripts(
        without=[] if Holds.UNTIMED in format.holds else ["untimed"],
        several=(1, 3) if Holds.SEVERAL in format.holds else (1, 1),
        names=NAMES if format.name in PLAIN_NAMES else ODD_NAMES,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [format.name for format in WRITTEN])
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    format, folder = FORMATS[name], tmp_path_factory.mktemp("formats")

    @many
    @given(transcript=of_format(format))
    def check(transcript: Transcript) -> None:
        check_round_trip(folder, transcript, format)

    check()
