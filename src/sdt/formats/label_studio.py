"""Label Studio: JSON lists of tasks with the annotations of people and the predictions of models.

Three kinds of tasks are read:

| kind      | `data`                                             | results                                             |
|-----------|----------------------------------------------------|-----------------------------------------------------|
| dialogue  | a list of `{"author", "text"}` (tag `Paragraphs`)  | `paragraphlabels`: the labels of paragraphs         |
| recording | `audio`, `video` or `url` (tag `Audio`)            | `labels` of regions in seconds; `choices` and       |
|           |                                                    | `textarea` of the same region                       |
| utterance | `text` or a clip, and columns of CSV               | `choices` of the whole task                         |

A dialogue or a recording is a conversation. In a recording, a region is an utterance; if it has `choices`, they are the
emotion, and its `labels` are the speaker. The label of an utterance is that of the annotation marked as ground truth,
or of the only annotation; the labels of everybody are `Utterance.annotations`.

Dialogues are written, with the fields of JSON Lines for each paragraph, the labels as ground truth, and the predictions
as pre-annotations; docs/formats.md has a labelling configuration for them.

https://labelstud.io/guide/task_format, https://labelstud.io/guide/predictions, https://labelstud.io/tags/paragraphs
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sdt.errors import InputError
from sdt.formats.format import Format, Holds
from sdt.formats.json_lines import RECORDS
from sdt.formats.label_studio_writer import GROUND_TRUTH, write
from sdt.formats.parsing.conversation_fields import with_fields
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.turn_records import read_records
from sdt.formats.transcript import Transcript, assemble

_AUTHORS = ("author", "speaker", "name")
_MEDIA = ("audio", "video", "url")
_LOCAL = "/data/local-files/?d="

_Object = Mapping[str, Any]


class _Given(NamedTuple):
    """The label of a region."""

    source: _Object
    """The annotation, or the prediction."""
    label: str
    result: _Object


def matches(decoded: Decoded) -> bool:
    """Whether the text is a list of tasks, or one task."""
    value = decoded.document
    first = value[0] if isinstance(value, list) and value else value
    others = {"segments", "text", "completions"}
    return isinstance(first, dict) and isinstance(first.get("data"), dict) and not others & first.keys()


def read(path: Path, decoded: Decoded) -> Transcript:
    """Read a file.

    Raises:
        InputError: A task has another structure, or an utterance has an invalid value.
    """
    value = decoded.document
    tasks = value if isinstance(value, list) else [value]
    reader = _Reader(path, len(tasks))
    for number, task in enumerate(tasks, start=1):
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise InputError(f"{path}, task {number}: is not an object with 'data'")
        reader.read(number, task)
    turns, notes = read_records(path, list(enumerate(reader.records, start=1)))
    return with_fields(assemble(path, turns, [*reader.notes(), *notes]), reader.fields)


class _Reader:
    """Collects the utterances of tasks.

    Args:
        path: The file.
        tasks: The number of its tasks.
    """

    def __init__(self, path: Path, tasks: int) -> None:
        self.path, self._tasks = path, tasks
        self.records: list[dict[str, object]] = []
        self.fields: dict[str, object] = {}
        """The id of a conversation to its fields."""
        self._several = self._different = 0

    def notes(self) -> list[str]:
        """Notes for the user."""
        several = f"regions with several labels, of which the first counts: {self._several}"
        different = f"tasks in which annotators marked different regions, each of which is read: {self._different}"
        return [note for note, count in ((several, self._several), (different, self._different)) if count]

    def read(self, number: int, task: _Object) -> None:
        """Add the utterances of a task."""
        data, where = task["data"], f"{self.path}, task {number}"
        annotations = [one for one in _objects(task.get("annotations")) if not one.get("was_cancelled")]
        predictions = _objects(task.get("predictions"))
        dialogue = next((value for value in data.values() if _is_dialogue(value)), None)
        if dialogue is None and not any(_is_region(one) for of in annotations for one in _objects(of.get("result"))):
            self._utterance(data, annotations, predictions)
            return
        id = data.get("conversation")
        if not isinstance(id, str):
            id = self.path.stem if self._tasks == 1 else str(task.get("id", number))
        media = next((data[name] for name in _MEDIA if isinstance(data.get(name), str)), None)
        fields = data.get("fields")
        self.fields[id] = {"media": media} | (fields if isinstance(fields, dict) else {})
        # In a file of this program, an only annotation is not the label; Label Studio adds ids to those that it saves.
        written = data.get("label_source") == GROUND_TRUTH and not any("id" in of for of in annotations)
        only = len(annotations) == 1 and not written
        if dialogue is not None:
            self._dialogue(where, id, dialogue, annotations, predictions, only=only)
        else:
            self._recording(id, annotations, only=only)

    def _utterance(self, data: _Object, annotations: Sequence[_Object], predictions: Sequence[_Object]) -> None:
        """Add the utterance of a task that is one."""
        record = dict(data)
        for name in _MEDIA:
            address = str(record.get(name) or "").removeprefix(_LOCAL)
            if address and "://" not in address and "media" not in record:
                del record[name]
                record["media"] = address
        self.records.append(
            {"text": None}
            | record
            | _predicted(self._given(predictions))
            | _annotated(self._given(annotations), only=len(annotations) == 1)
        )

    def _given(self, sources: Sequence[_Object]) -> list[_Given]:
        found = []
        for source in sources:
            results = _objects(source.get("result"))
            if label := self._label(results):
                found.append(_Given(source, label, results[0]))
        return found

    def _dialogue(
        self,
        where: str,
        id: str,
        dialogue: Sequence[_Object],
        annotations: Sequence[_Object],
        predictions: Sequence[_Object],
        *,
        only: bool,
    ) -> None:
        """Add the paragraphs of a dialogue."""
        given, predicted = (
            self._of_paragraphs(where, sources, len(dialogue)) for sources in (annotations, predictions)
        )
        for paragraph, labels, guesses in zip(dialogue, given, predicted, strict=True):
            author = next((paragraph[name] for name in _AUTHORS if name in paragraph), None)
            record = {name: value for name, value in paragraph.items() if name not in _AUTHORS}
            record |= {"conversation": id, "speaker": author}
            if "emotion" not in record:
                record |= _predicted(guesses)
            self.records.append(record | _annotated(labels, only=only))

    def _of_paragraphs(self, where: str, sources: Sequence[_Object], count: int) -> list[list[_Given]]:
        found: list[list[_Given]] = [[] for _ in range(count)]
        for source in sources:
            for results in _by_region(source):
                value = results[0]["value"]
                try:
                    start, end = int(value["start"]), int(value["end"])
                except (KeyError, TypeError, ValueError):
                    raise InputError(f"{where}: 'start' and 'end' of a region are not numbers of paragraphs") from None
                if not 0 <= start <= end < count:
                    raise InputError(f"{where}: a region of paragraphs {start} to {end}, but there are {count}")
                if label := self._label(results):
                    for paragraph in found[start : end + 1]:
                        paragraph.append(_Given(source, label, results[0]))
        return found

    def _recording(self, id: str, annotations: Sequence[_Object], *, only: bool) -> None:
        """Add the regions of a recording, in order of time; those with the same times are one utterance."""
        records: dict[tuple[float, float], dict[str, object]] = {}
        given: dict[tuple[float, float], list[_Given]] = {}
        for source in annotations:
            for results in _by_region(source):
                start, end = (results[0]["value"].get(side) for side in ("start", "end"))
                if not isinstance(start, int | float) or not isinstance(end, int | float):
                    continue
                texts = [text for one in results for text in _texts(one["value"].get("text"))]
                chosen = self._label([one for one in results if "choices" in one["value"]])
                marked = self._label([one for one in results if "choices" not in one["value"]])
                speaker = chosen or any("speaker" in str(one.get("from_name")).casefold() for one in results)
                key = (float(start), float(end))
                record = records.setdefault(key, {"text": None, "speaker": None, "start": start, "end": end})
                record |= ({"text": " ".join(texts)} if texts else {}) | ({"speaker": marked} if speaker else {})
                if label := chosen if speaker else marked:
                    given.setdefault(key, []).append(_Given(source, label, results[0]))
        self._different += any(len(of) != len(annotations) for of in given.values())
        for key in sorted(records):
            self.records.append({"conversation": id} | records[key] | _annotated(given.get(key, []), only=only))

    def _label(self, results: Sequence[_Object]) -> str | None:
        """The label of a region: of `choices`, or else of the control that marked it."""
        for kinds in (["choices"], [str(result.get("type")) for result in results]):
            for kind in kinds:
                names = [
                    one["value"][kind] for one in results if isinstance(one.get("value"), dict) and kind in one["value"]
                ]
                if kind != "textarea" and names and isinstance(names[0], list) and names[0]:
                    self._several += len(names[0]) > 1
                    return str(names[0][0])
        return None


def _objects(value: object) -> list[_Object]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [value] if isinstance(value, str) else []


def _is_dialogue(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "text" in one for one in value)


def _is_region(result: _Object) -> bool:
    """Whether a result is of a time range; those of text have the text."""
    value = result.get("value")
    return (
        isinstance(value, dict)
        and isinstance(value.get("start"), int | float)
        and not isinstance(value.get("text"), str)
    )


def _by_region(source: _Object) -> list[list[_Object]]:
    """The results of each region, which have the same id."""
    regions: dict[object, list[_Object]] = {}
    for number, result in enumerate(_objects(source.get("result"))):
        if isinstance(result.get("value"), dict) and "start" in result["value"]:
            regions.setdefault(str(result.get("id", number)), []).append(result)
    return list(regions.values())


def _annotated(given: Sequence[_Given], *, only: bool) -> dict[str, object]:
    """The label and the annotations of an utterance; `only` if there is one annotation, whose label counts."""
    truth = [one.label for one in given if one.source.get(GROUND_TRUTH) is True]
    labels = truth or [one.label for one in given if only]
    named = []
    for one in given:
        if (annotator := _annotator(one.source)) is not None:
            meta = one.result.get("meta")
            confidence = meta.get("confidence") if isinstance(meta, dict) else None
            named.append({"annotator": annotator, "label": one.label, "confidence": confidence})
    return ({"label": labels[0]} if labels else {}) | ({"annotations": named} if named else {})


def _annotator(annotation: _Object) -> str | None:
    """The address of an annotator, or the number of the account."""
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("username") or by.get("id")
    return None if by is None or by == "" else str(by)


def _predicted(given: Sequence[_Given]) -> dict[str, object]:
    """The first prediction that has a score."""
    for one in given:
        score = one.result.get("score", one.source.get("score"))
        if isinstance(score, int | float):
            return {"emotion": one.label, "probability": score}
    return {}


LABEL_STUDIO = Format(
    "labelstudio",
    (".json",),
    matches,
    exclusive=True,
    read=read,
    write=write,
    title="Label Studio tasks",
    holds=RECORDS | Holds.MEDIA | Holds.CONVERSATION_EXTRA | Holds.TIERS | Holds.POINTS,
    step=0.001,
    whole=True,
)
