"""The layouts of published feature files, detected by their structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sdt.corpus.importers.meld import LABELS as MELD_LABELS
from sdt.corpus.importers.pickle_values import describe, is_features, is_numbers, is_one_hots, is_split, is_strings


@dataclass(frozen=True)
class Source:
    """A data set that published files are made from."""

    name: str
    labels: tuple[str, ...]
    """Label names in the order of their numbers in the files."""
    speakers: tuple[str, ...] | None
    """Speaker names in the order of their numbers; None if the files have one-hot vectors, numbered within each
    conversation."""
    licence: str
    absent: frozenset[str] = frozenset()
    """Conversations without data that split lists may contain."""


IEMOCAP = Source(
    name="iemocap",
    labels=("happy", "sad", "neutral", "angry", "excited", "frustrated"),
    speakers=("M", "F"),
    licence="IEMOCAP's data use agreement: for research, not to be passed on",
)
MELD = Source(
    name="meld",
    labels=MELD_LABELS,
    speakers=None,
    licence="GPL-3.0 (MELD's annotation)",
    absent=frozenset({"60"}),
)


@dataclass(frozen=True)
class TupleLayout:
    """A layout of pickled tuples."""

    name: str
    source: Source
    items: tuple[str, ...]
    """The content of each item of the tuple: `ids`, `speakers`, `labels`, `sentiments`, `sentences`, a split
    (`train`, `dev`, `test`), a modality, `layer` for a further layer of the text encoder, or `ignored`."""
    encoders: Mapping[str, str]
    """Modality to its feature encoder."""

    def mismatch(self, value: object) -> str | None:
        """The first difference between a value and this layout; None if the value has this layout."""
        if not isinstance(value, tuple | list) or len(value) != len(self.items):
            return f"{describe(value)}, not a tuple of {len(self.items)} items"
        for number, (item, content) in enumerate(zip(self.items, value, strict=True), start=1):
            if not self._fits(item, content):
                return f"item {number} should be {self._expected(item)}, but is {describe(content)}"
        return None

    def _fits(self, item: str, content: object) -> bool:
        if item == "ignored":
            return True
        if item in ("train", "dev", "test"):
            return is_split(content)
        if not isinstance(content, dict) or not content:
            return False
        first = first_value(content)
        if item == "speakers":
            return is_one_hots(first) if self.source.speakers is None else is_strings(first)
        if item in ("labels", "sentiments"):
            return is_numbers(first)
        if item in ("ids", "sentences"):
            return is_strings(first) or (item == "ids" and is_numbers(first))
        return is_features(first)

    def _expected(self, item: str) -> str:
        if item in ("train", "dev", "test"):
            return f"the ids of the {item} conversations"
        kind = {
            "ids": "utterance ids",
            "speakers": "one-hot speakers" if self.source.speakers is None else "speakers ('M' or 'F')",
            "labels": "label numbers",
            "sentiments": "sentiment numbers",
            "sentences": "sentences",
        }.get(item, "text features" if item == "layer" else f"{item} features")
        return f"a dictionary of {kind}"


@dataclass(frozen=True)
class DictionaryLayout:
    """A layout of pickled dictionaries, as MultiEMO publishes them: the features of one modality."""

    name: str
    widths: Mapping[int, tuple[str, str]]
    """Width to the modality and its feature encoder."""

    def mismatch(self, value: object) -> str | None:
        """The first difference between a value and this layout; None if the value has this layout."""
        if not isinstance(value, dict) or not is_features(first_value(value)):
            return f"{describe(value)}, not a dictionary of features for each conversation"
        return None


Layout = TupleLayout | DictionaryLayout


def first_value(content: Mapping[object, object]) -> object:
    """The first value of a dictionary that is not an empty list, or None."""
    for value in content.values():
        if not isinstance(value, list | tuple) or value:
            return value
    return None


_ROBERTA = "roberta-large (fine-tuned, last layer, first token)"
_AUDIO_VISUAL = {
    IEMOCAP.name: {"audio": "opensmile:IS10", "visual": "densenet-ferplus"},
    MELD.name: {"audio": "is10-selection-300", "visual": "densenet-ferplus"},
}


def _layout(name: str, source: Source, items: str, text: str) -> TupleLayout:
    names = tuple(items.split())
    encoders = {"text": text, **_AUDIO_VISUAL[source.name]}
    return TupleLayout(
        name, source, names, {modality: encoder for modality, encoder in encoders.items() if modality in names}
    )


_LAYERS = "text layer layer layer"
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        _layout("sdt-iemocap", IEMOCAP, f"ids speakers labels {_LAYERS} audio visual sentences train test", _ROBERTA),
        _layout("sdt-meld", MELD, f"ids speakers labels {_LAYERS} audio visual sentences train test ignored", _ROBERTA),
        _layout("mmgcn-iemocap", IEMOCAP, "ids speakers labels text audio visual sentences train test", "textcnn"),
        _layout("mmgcn-meld", MELD, "ids speakers labels text audio visual sentences train test ignored", "textcnn"),
        _layout(
            "graphsmile-meld",
            MELD,
            f"ids speakers labels sentiments {_LAYERS} audio visual sentences train test ignored",
            _ROBERTA,
        ),
        _layout("cosmic-iemocap", IEMOCAP, f"speakers labels {_LAYERS} sentences train test dev", _ROBERTA),
        _layout("cosmic-meld", MELD, f"speakers labels sentiments {_LAYERS} sentences train test dev", _ROBERTA),
        DictionaryLayout(
            "multiemo",
            {
                768: ("text", "multiemo:text"),
                512: ("audio", "multiemo:audio"),
                1000: ("visual", "multiemo:visual"),
                # Dictionaries made from items of the tuples.
                1024: ("text", "unknown"),
                1582: ("audio", "unknown"),
                300: ("audio", "unknown"),
                342: ("visual", "unknown"),
            },
        ),
    )
}
"""Layout name to layout. MM-DFN publishes files of the MMGCN layout, CFN-ESA of the GraphSmile layout."""


def recognise_layout(value: object) -> Layout | None:
    """The layout of the content of a pickle, detected by its structure; None if it is unknown."""
    return next((layout for layout in LAYOUTS.values() if layout.mismatch(value) is None), None)


def explain_unknown(value: object) -> str:
    """Explain why a value has no known layout: its first difference from the most similar layout."""
    if isinstance(value, tuple | list):
        for layout in LAYOUTS.values():
            if isinstance(layout, TupleLayout) and len(layout.items) == len(value):
                return f"{len(value)} items as in layout {layout.name!r}, but {layout.mismatch(value)}"
    return f"{describe(value)} has none of the layouts {', '.join(LAYOUTS)}"
