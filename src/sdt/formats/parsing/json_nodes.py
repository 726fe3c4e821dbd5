"""Values of a JSON document that know their place in it, so that messages name it.

talk.json, results.channels[0].alternatives[0].words[3].start: expected a time in seconds, found 'soon'
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sdt.errors import InputError, quoted
from sdt.formats.parsing.decoding import MAX_LINE
from sdt.formats.parsing.times import LONGEST, parse_seconds
from sdt.formats.transcript import tidy
from sdt.json_values import is_finite


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A value of a JSON document, or of a missing key of it."""

    file: Path
    value: object
    path: str = ""
    """From the root: `results.items[3].start_time`."""

    def __getitem__(self, key: str) -> JsonNode:
        """The value under a key of an object; its `value` is None if the key is missing."""
        if self.value is not None and not isinstance(self.value, dict):
            raise self.error("an object {...}")
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return JsonNode(self.file, value, f"{self.path}.{key}" if self.path else key)

    def items(self) -> Iterator[tuple[str, JsonNode]]:
        """The keys and values of an object; none if the value is missing."""
        if self.value is not None and not isinstance(self.value, dict):
            raise self.error("an object {...}")
        return ((key, self[key]) for key in self.value or ())

    def first(self, *keys: str) -> JsonNode:
        """The value under the first of the keys that has one."""
        nodes = [self[key] for key in keys]
        return next((node for node in nodes if node), nodes[0])

    def __iter__(self) -> Iterator[JsonNode]:
        """The elements of a list; none if the value is missing."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            raise self.error("a list [...]")
        for number, value in enumerate(self.value):
            yield JsonNode(self.file, value, f"{self.path}[{number}]")

    def __bool__(self) -> bool:
        """Whether there is a value other than an empty text, list or object."""
        return self.value is not None and self.value not in ("", [], {})

    def error(self, expected: str) -> InputError:
        """The error that this value is not as expected."""
        found = "nothing" if self.value is None else quoted(self.value)
        return InputError(f"{self}: expected {expected}, found {found}")

    def __str__(self) -> str:
        return f"{self.file}, {self.path}" if self.path else str(self.file)

    def text(self) -> str | None:
        """The text in one line; None if it is missing or empty. Numbers are texts, too."""
        if self.value is None:
            return None
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            raise self.error("text")
        try:
            text = str(self.value)
            text.encode("utf-8")
        except ValueError:  # an unpaired surrogate, or an integer with thousands of digits
            raise self.error("text of valid characters") from None
        if len(text) > MAX_LINE:
            raise InputError(f"{self}: {len(text):,} characters exceed the limit of {MAX_LINE:,} for an utterance")
        return tidy(text) or None

    def speaker(self) -> str | None:
        """The name of a speaker; a number becomes `Speaker 1`."""
        name = self.text()
        return f"Speaker {name}" if name and isinstance(self.value, int) else name

    def seconds(self, unit: float = 1) -> float | None:
        """The time in seconds, to the microsecond; None if it is missing or empty.

        Args:
            unit: The seconds of the number 1: 0.001 for milliseconds. Numbers can be texts; in seconds, also `1:02.5`
                and `1.3s`.
        """
        value = self.value
        if isinstance(value, str):
            try:
                value = parse_seconds(value.strip().removesuffix("s")) if unit == 1 else float(value)
            except ValueError:
                raise self._no_time(unit) from None
        if value is None:
            return None
        if not is_finite(value) or not isinstance(value, int | float) or not 0 <= value * unit < LONGEST:
            raise self._no_time(unit)
        return round(value * unit, 6) + 0.0

    def _no_time(self, unit: float) -> InputError:
        return self.error("a time in seconds" if unit == 1 else f"a time in units of {unit:g} s")

    def probability(self) -> float | None:
        """The number from 0 to 1, rounded to 6 digits; None if it is missing. Texts such as `0.98` are numbers."""
        value = self.value
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise self.error("a number from 0 to 1") from None
        if value is None:
            return None
        if not is_finite(value) or not isinstance(value, int | float) or not 0 <= value <= 1.001:
            raise self.error("a number from 0 to 1")
        return min(round(value, 6), 1.0)  # sums of float32 exceed 1


def required(node: JsonNode, value: float | None) -> float:
    """The value of a node.

    Raises:
        InputError: It is missing.
    """
    if value is None:
        raise node.error("a time")
    return value


def check_times(node: JsonNode, start: float | None, end: float | None) -> None:
    """Check that an utterance or a word does not end before it starts.

    Raises:
        InputError: It does.
    """
    if start is not None and end is not None and end < start:
        raise InputError(f"{node}: end {end} is before start {start}")
