"""What a conversation has besides its utterances, as JSON: `{"media": "talk.wav", "tiers": [...], "room": "B12"}`.

For formats that have a place for fields of a conversation. Its extra fields are beside `media` and `tiers`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from sdt.conversation import Conversation, Span, Tier, Value
from sdt.formats.transcript import Transcript

_MEDIA, _TIERS = "media", "tiers"


def conversation_fields(conversation: Conversation) -> dict[str, object]:
    """The fields of a conversation; empty if it has only utterances."""
    fields: dict[str, object] = dict(conversation.extra)
    if conversation.media is not None:
        fields[_MEDIA] = conversation.media
    if conversation.tiers:
        fields[_TIERS] = [
            {
                "name": tier.name,
                "points": tier.points,
                "spans": [{"text": span.text, "start": span.start, "end": span.end} for span in tier.spans],
            }
            for tier in conversation.tiers
        ]
    return fields


def transcript_fields(transcript: Transcript) -> dict[str, dict[str, object]]:
    """The ids of the conversations that have fields, and their fields."""
    return {of.id: fields for of in transcript.conversations if (fields := conversation_fields(of))}


def with_fields(transcript: Transcript, fields: Mapping[str, object]) -> Transcript:
    """A transcript whose conversations have the fields of `transcript_fields`; values of other types are ignored."""
    conversations = []
    for conversation in transcript.conversations:
        found = fields.get(conversation.id)
        if isinstance(found, Mapping):
            media, tiers = found.get(_MEDIA), found.get(_TIERS)
            conversation = replace(
                conversation,
                media=media if isinstance(media, str) and media else None,
                tiers=_tiers(tiers),
                extra={
                    str(name): value
                    for name, value in found.items()
                    if isinstance(value, Value) and name not in (_MEDIA, _TIERS)
                },
            )
        conversations.append(conversation)
    return replace(transcript, conversations=conversations)


def _tiers(value: object) -> tuple[Tier, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        Tier(str(tier["name"]), tuple(_spans(tier.get("spans"))), points=tier.get("points") is True)
        for tier in value
        if isinstance(tier, Mapping) and isinstance(tier.get("name"), str)
    )


def _spans(value: object) -> list[Span]:
    found = []
    for span in value if isinstance(value, list) else ():
        if not isinstance(span, Mapping):
            continue
        start, end = _seconds(span.get("start")), _seconds(span.get("end"))
        if start is not None and isinstance(span.get("text"), str):
            found.append(Span(str(span["text"]), start, end))
    return found


def _seconds(value: object) -> float | None:
    valid = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if valid else None  # type: ignore[arg-type]
