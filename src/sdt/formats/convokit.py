"""Corpus folders of ConvoKit: `utterances.jsonl`, `speakers.json`, `conversations.json`, `corpus.json`, `index.json`.

Each utterance has `id`, `conversation_id`, `speaker`, `text`, `reply-to`, `timestamp` and `meta`. The other fields of
`sdt.formats.parsing.turn_records` are in `meta`, as are those of conversations. ConvoKit's ids of utterances are unique
in the corpus; where they are not here, the written id begins with that of the conversation, and `meta` has the own one.

Written timestamps number the utterances of a conversation, so that ConvoKit sorts them in spoken order. Read
conversations are sorted by timestamp if all of their utterances have one. Pickled values of `meta` are not read.

https://convokit.cornell.edu/documentation/data_format.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sdt.errors import InputError
from sdt.formats.format import Format, Holds
from sdt.formats.json_lines import RECORDS
from sdt.formats.parsing.conversation_fields import transcript_fields, with_fields
from sdt.formats.parsing.csv_lines import read_text
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.json_records import json_array, json_lines
from sdt.formats.parsing.turn_records import read_records
from sdt.formats.records import transcript_records
from sdt.formats.transcript import Transcript, assemble

_LINES, _ARRAY = "utterances.jsonl", "utterances.json"
_OTHERS = ("speakers.json", "users.json", "conversations.json")
_REPLY = {"reply-to", "reply_to"}
_PICKLED = "<##bin{"


def matches(path: Path, _: bytes) -> bool:
    """Whether a folder has the files of a corpus."""
    utterances = any((path / name).is_file() for name in (_LINES, _ARRAY))
    return utterances and any((path / name).is_file() for name in _OTHERS)


def read(path: Path) -> Transcript:
    """Read a folder.

    Raises:
        InputError: A file is damaged, or an utterance lacks a field or has an invalid one.
    """
    file = path / _LINES
    if file.is_file():
        transcript = _assemble(file, list(json_lines(file, encoding="utf-8-sig")))
    else:
        file = path / _ARRAY
        transcript = _assemble(file, list(json_array(file, read_text(file, encoding="utf-8-sig"))))
    return with_fields(transcript, dict(_conversation_fields(path / "conversations.json")))


def matches_utterances(decoded: Decoded) -> bool:
    """Whether the text is the file of utterances of a corpus, or begins as it does."""
    value = decoded.first_value
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and {"conversation_id", "speaker"} <= first.keys() and bool(_REPLY & first.keys())


def read_utterances(path: Path, decoded: Decoded) -> Transcript:
    """Read the file of utterances of a corpus."""
    array = isinstance(decoded.first_value, list)
    return _assemble(
        path, list(json_array(path, decoded.text) if array else json_lines(path, encoding=decoded.encoding))
    )


def _assemble(file: Path, objects: Sequence[tuple[int, Mapping[str, object]]]) -> Transcript:
    timed: dict[str, bool] = {}
    for number, one in objects:
        id = _conversation(file, number, one)
        timed[id] = timed.get(id, True) and isinstance(one.get("timestamp"), int | float)
    notes: set[str] = set()
    records = [(number, _record(one, _conversation(file, number, one), timed, notes)) for number, one in objects]
    turns, found = read_records(file, records)
    return assemble(file, turns, [*sorted(notes), *found])


def _conversation(file: Path, number: int, utterance: Mapping[str, object]) -> str:
    """The id of the conversation of an utterance; `root` is its name in old files."""
    found = utterance.get("conversation_id", utterance.get("root"))
    if not isinstance(found, str):
        raise InputError(f"{file}, line {number}: 'conversation_id' is not text")
    return found


def _record(
    utterance: Mapping[str, object], conversation: str, timed: Mapping[str, bool], notes: set[str]
) -> dict[str, object]:
    meta = utterance.get("meta")
    fields = dict(meta) if isinstance(meta, Mapping) else {}
    for name, value in list(fields.items()):
        if isinstance(value, str) and value.startswith(_PICKLED):
            notes.add(f"pickled values ignored: {name}")
            del fields[name]
    if "label" not in fields and "probability" not in fields and isinstance(fields.get("emotion"), str):
        fields["label"] = fields.pop("emotion")
    return {
        "utterance": utterance.get("id"),
        **fields,
        "conversation": conversation,
        "speaker": utterance.get("speaker", utterance.get("user")),
        "text": utterance.get("text"),
        **({"order": utterance["timestamp"]} if timed[conversation] else {}),
    }


def _conversation_fields(file: Path) -> Iterator[tuple[str, object]]:
    if not file.is_file():
        return
    text = read_text(file, encoding="utf-8-sig")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON ({error}); is the file truncated?") from None
    if not isinstance(found, dict):
        raise InputError(f"{file}: expected an object with the fields of each conversation")
    for id, value in found.items():
        # Old files have the fields themselves instead of `meta`.
        yield id, value["meta"] if isinstance(value, dict) and isinstance(value.get("meta"), dict) else value


def write(transcript: Transcript, path: Path) -> None:
    """Write a corpus into an empty folder.

    Raises:
        InputError: A speaker has no name.
    """
    records = list(transcript_records(transcript, path / _LINES))
    ids = _unique_ids(records)
    speakers: dict[str, Any] = {}
    types: dict[str, set[str]] = {}
    before: dict[object, str] = {}
    numbers: dict[object, int] = {}
    with (path / _LINES).open("w", encoding="utf-8", newline="\n") as file:
        for record, id in zip(records, ids, strict=True):
            conversation, own, speaker, text = (
                record.pop(name) for name in ("conversation", "utterance", "speaker", "text")
            )
            meta = {name: value for name, value in record.items() if value is not None}
            if id != own:
                meta["utterance"] = own
            for name, value in meta.items():
                types.setdefault(name, set()).add(str(type(value)))
            speakers.setdefault(str(speaker), {"meta": {}, "vectors": []})
            number = numbers[conversation] = numbers.get(conversation, -1) + 1
            utterance = {
                "id": id,
                "conversation_id": conversation,
                "text": text or "",
                "speaker": speaker,
                "meta": meta,
                "reply-to": before.get(conversation),
                "timestamp": number,
                "vectors": [],
            }
            before[conversation] = id
            file.write(json.dumps(utterance, ensure_ascii=True) + "\n")  # ConvoKit opens it in the locale's encoding
    fields = transcript_fields(transcript)
    conversations = {of.id: {"meta": fields.get(of.id, {}), "vectors": []} for of in transcript.conversations}
    of_conversations: dict[str, set[str]] = {}
    for one in fields.values():
        for name, value in one.items():
            of_conversations.setdefault(name, set()).add(str(type(value)))
    index = {
        "utterances-index": {name: sorted(found) for name, found in types.items()},
        "speakers-index": {},
        "conversations-index": {name: sorted(found) for name, found in of_conversations.items()},
        "overall-index": {},
        "version": 1,
        "vectors": [],
    }
    files = {"speakers": speakers, "conversations": conversations, "corpus": {}, "index": index}
    for name, value in files.items():
        (path / f"{name}.json").write_text(json.dumps(value) + "\n", encoding="utf-8")


def _unique_ids(records: list[dict[str, object]]) -> list[str]:
    """Ids that are unique in the corpus: the own ones if they are, or else with that of the conversation."""
    own = [str(record["utterance"]) for record in records]
    if len(set(own)) == len(own):
        return own
    taken: set[str] = set()
    ids = []
    for record, id in zip(records, own, strict=True):
        new = f"{record['conversation']}_{id}"
        while new in taken:
            new += "_"
        taken.add(new)
        ids.append(new)
    return ids


CONVOKIT = Format(
    "convokit",
    (),
    title="ConvoKit corpus folder",
    holds=RECORDS | Holds.MEDIA | Holds.CONVERSATION_EXTRA | Holds.TIERS | Holds.POINTS,
    step=0.001,
    content="folder",
    matches_file=matches,
    read_file=read,
    write_file=write,
)

CONVOKIT_UTTERANCES = Format(
    "convokit-utterances",
    (".jsonl", ".json"),
    matches_utterances,
    exclusive=True,
    read=read_utterances,
    title="utterances of a ConvoKit corpus",
    holds=RECORDS,
    step=0.001,
    whole=True,
)
