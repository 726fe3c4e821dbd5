"""Readers and writers of transcripts: plain text, CSV, JSON Lines, SRT and WebVTT."""

from sdt.formats.read import read_transcript, read_transcripts
from sdt.formats.transcript import Transcript
from sdt.formats.writers import write_predictions

__all__ = ["Transcript", "read_transcript", "read_transcripts", "write_predictions"]
