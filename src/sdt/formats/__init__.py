"""Conversations in files: the formats of annotation tools, subtitles, chats, transcribers and tables.

`table.py` names the formats, `read.py` and `write.py` use the table.
"""

from sdt.formats.losses import Loss, losses
from sdt.formats.read import read_transcript, read_transcripts
from sdt.formats.transcript import Transcript
from sdt.formats.write import write_predictions, write_transcript

__all__ = [
    "Loss",
    "Transcript",
    "losses",
    "read_transcript",
    "read_transcripts",
    "write_predictions",
    "write_transcript",
]
