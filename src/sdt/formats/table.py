"""The table of formats. A format is a file of this folder and a line here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sdt.errors import InputError, near_miss, quoted
from sdt.formats.ass import ASS
from sdt.formats.assemblyai import ASSEMBLYAI
from sdt.formats.audacity import AUDACITY
from sdt.formats.audformat import AUDFORMAT
from sdt.formats.aws_transcribe import AWS_TRANSCRIBE
from sdt.formats.azure_speech import AZURE_SPEECH
from sdt.formats.chat import CHAT
from sdt.formats.convokit import CONVOKIT, CONVOKIT_UTTERANCES
from sdt.formats.csv_table import CSV
from sdt.formats.ctm import CTM
from sdt.formats.deepgram import DEEPGRAM
from sdt.formats.elan import ELAN
from sdt.formats.emotionml import EMOTIONML
from sdt.formats.format import Format, Holds
from sdt.formats.funasr import FUNASR
from sdt.formats.google_speech import GOOGLE_SPEECH
from sdt.formats.hf_dataset import HF_DATASET
from sdt.formats.json_lines import JSON_LINES
from sdt.formats.json_value import JSON_VALUE
from sdt.formats.label_studio import LABEL_STUDIO
from sdt.formats.lrc import LRC
from sdt.formats.parquet_table import PARQUET
from sdt.formats.plain import PLAIN
from sdt.formats.rev import REV
from sdt.formats.rttm import RTTM
from sdt.formats.sbv import SBV
from sdt.formats.srt import SRT
from sdt.formats.stm import STM
from sdt.formats.textgrid import TEXTGRID
from sdt.formats.webvtt import WEBVTT
from sdt.formats.whisper import WHISPER
from sdt.formats.xlsx import XLSX
from sdt.plugins import Registry

BUILTIN = (
    ELAN,
    TEXTGRID,
    CHAT,
    EMOTIONML,
    RTTM,
    STM,
    CTM,
    AUDACITY,
    # The general formats: everything else is recognised before them.
    WEBVTT,
    SRT,
    PLAIN,
    JSON_VALUE,
    JSON_LINES,
    CSV,
    # Recognised exclusively, but not what a file `.json` is written as.
    WHISPER,
    FUNASR,
    DEEPGRAM,
    ASSEMBLYAI,
    AWS_TRANSCRIBE,
    GOOGLE_SPEECH,
    AZURE_SPEECH,
    REV,
    SBV,
    LRC,
    ASS,
    LABEL_STUDIO,
    XLSX,
    PARQUET,
    HF_DATASET,
    CONVOKIT,
    CONVOKIT_UTTERANCES,
    AUDFORMAT,
)
FORMATS = Registry("sdt.formats", Format, {format.name: format for format in BUILTIN})
"""Every format by name, in the order of detection; formats of installed packages follow. The default is plain text."""


def get_format(name: str) -> Format:
    """The format with a name.

    Raises:
        InputError: The name is unknown.
    """
    if name not in FORMATS:
        raise InputError(f"format {quoted(name)} is unknown{near_miss(name, FORMATS)}")
    return FORMATS[name]


def writable_formats(holds: Holds = Holds.NOTHING) -> Iterator[Format]:
    """The formats that can be written and hold all of `holds`, those of installed packages last."""
    return (format for format in FORMATS.values() if format.writable and holds in format.holds)


def writer(name: str, holds: Holds = Holds.NOTHING) -> Format:
    """The format with a name, for writing.

    Raises:
        InputError: The name is unknown, or the format cannot be written or lacks one of `holds`.
    """
    known = [format.name for format in writable_formats(holds)]
    if name not in known:
        raise InputError(f"format {quoted(name)} is unknown{near_miss(name, known)}")
    return FORMATS[name]


def format_of(path: Path, holds: Holds = Holds.NOTHING) -> str:
    """The name of the format in which a file with this suffix is written.

    Raises:
        InputError: No format with `holds` has this suffix.
    """
    known = {suffix: format.name for format in [*writable_formats(holds)][::-1] for suffix in format.suffixes[::-1]}
    suffix = path.suffix.lower()
    if suffix not in known:
        shown = ", ".join([*known][::-1])
        raise InputError(f"{path}: no output format has the suffix {quoted(path.suffix)}; known are: {shown}")
    return known[suffix]
