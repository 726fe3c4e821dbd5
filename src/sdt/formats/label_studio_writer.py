"""Writer of Label Studio's tasks; see `sdt.formats.label_studio`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sdt.formats.parsing.conversation_fields import transcript_fields
from sdt.formats.records import transcript_records
from sdt.formats.transcript import Transcript

GROUND_TRUTH = "ground_truth"
"""The key of annotations whose labels count."""


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The tasks of the conversations, one a line."""
    dialogues: dict[object, list[dict[str, Any]]] = {}
    for record in transcript_records(transcript, path):
        dialogues.setdefault(record.pop("conversation"), []).append(record)
    fields = transcript_fields(transcript)
    before = "["
    for number, (id, records) in enumerate(dialogues.items(), start=1):
        of_conversation = dict(fields.get(str(id), {}))
        media = {"audio": of_conversation.pop("media")} if "media" in of_conversation else {}
        annotations = _annotations(records)
        data: dict[str, Any] = {
            "conversation": id,
            "label_source": GROUND_TRUTH,
            **media,
            **({"fields": of_conversation} if of_conversation else {}),
            "dialogue": [
                {"author": record.pop("speaker"), "text": record.pop("text") or "", **record} for record in records
            ],
        }
        task = {"id": number, "data": data, "annotations": annotations, "predictions": _predictions(data["dialogue"])}
        yield f"{before}\n{json.dumps(task, ensure_ascii=False)}"
        before = ","
    yield "\n]\n" if before == "," else "[]\n"


def _annotations(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take the labels out of records: an annotation with the ground truth, and one of each annotator."""
    truth: list[dict[str, Any]] = []
    by_annotator: dict[str, list[dict[str, Any]]] = {}
    for number, record in enumerate(records):
        if (label := record.pop("label", None)) is not None:
            truth.append(_result(number, record, label))
        for one in record.pop("annotations", ()):
            result = _result(number, record, one["label"])
            if "confidence" in one:
                result["meta"] = {"confidence": one["confidence"]}
            results = by_annotator.setdefault(one["annotator"], [])
            result["id"] += f"-{len(results)}"  # an annotator can give several labels to a paragraph
            results.append(result)
    return ([{GROUND_TRUTH: True, "result": truth}] if truth else []) + [
        {"completed_by": {"email": annotator}, "result": results} for annotator, results in by_annotator.items()
    ]


def _predictions(dialogue: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    results = [
        _result(number, record, record["emotion"]) | {"score": record["probability"]}
        for number, record in enumerate(dialogue)
        if record.get("emotion") is not None and record.get("probability") is not None
    ]
    if not results:
        return []
    mean = sum(result["score"] for result in results) / len(results)
    return [{"model_version": "sdt", "score": mean, "result": results}]


def _result(number: int, record: Mapping[str, Any], label: str) -> dict[str, Any]:
    """The label of a whole paragraph; offsets are in UTF-16, as in a browser."""
    text = record["text"] or ""
    return {
        "id": f"p{number}",
        "from_name": "emotion",
        "to_name": "dialogue",
        "type": "paragraphlabels",
        "value": {
            "start": str(number),
            "end": str(number),
            "startOffset": 0,
            "endOffset": len(text.encode("utf-16-le")) // 2,
            "text": text,
            "paragraphlabels": [label],
        },
    }
