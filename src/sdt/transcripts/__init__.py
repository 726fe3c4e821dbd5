"""A conversation from and to plain text, CSV, JSON Lines, SRT and WebVTT."""

from sdt.transcripts.read import read_transcript, read_transcripts
from sdt.transcripts.transcript import Transcript
from sdt.transcripts.writers import write_predictions

__all__ = ["Transcript", "read_transcript", "read_transcripts", "write_predictions"]
