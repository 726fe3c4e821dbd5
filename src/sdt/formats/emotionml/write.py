"""Writer of EmotionML 1.0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sdt.conversation import Conversation, Prediction, Utterance
from sdt.errors import InputError
from sdt.formats.emotionml.names import DIMENSIONS, EMO, OWN, tokens
from sdt.formats.parsing.xml import xml_attributes, xml_text
from sdt.formats.transcript import Transcript, tidy


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The parts of a file with one conversation.

    Raises:
        InputError: There are several conversations.
    """
    if len(transcript.conversations) != 1:
        raise InputError(
            f"{path or '-'}: EmotionML files have one conversation each, but there are several; write jsonl"
        )
    (conversation,) = transcript.conversations
    names = tokens(list(dict.fromkeys(_labels(transcript))))
    attributes = xml_attributes(xmlns=EMO, version="1.0") + (' category-set="#emotions"' if names else "")
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<emotionml{attributes}{xml_attributes(**{"xmlns:sdt": OWN})}>\n'
    yield "    <info>\n"
    yield from _conversation(conversation)
    yield "    </info>\n"
    if names:
        yield '    <vocabulary type="category" id="emotions">\n'
        for name, token in names.items():
            yield f"        <item{xml_attributes(name=token)}>{_name(name, token)}</item>\n"
        yield "    </vocabulary>\n"
    dimensions = sorted({name for _, one, _ in transcript.rows() for name in _dimensions(one)})
    if dimensions:
        items = "".join(f"        <item{xml_attributes(name=name)}/>\n" for name in dimensions)
        yield f'    <vocabulary type="dimension" id="dimensions">\n{items}    </vocabulary>\n'
    for number, (_, one, prediction) in enumerate(transcript.rows()):
        yield from _emotions(number, one, prediction, names, conversation.media)
    yield "</emotionml>\n"


def _labels(transcript: Transcript) -> Iterator[str]:
    for _, one, prediction in transcript.rows():
        yield from () if one.label is None else (one.label,)
        yield from (annotation.label for annotation in one.annotations)
        yield from () if prediction is None else prediction.probabilities


def _name(name: str, token: str) -> str:
    """The name of a category that is no token."""
    return "" if name == token else f"<info><sdt:name>{xml_text(name)}</sdt:name></info>"


def _conversation(conversation: Conversation) -> Iterator[str]:
    """The utterances, and the fields of the conversation."""
    if conversation.media:
        yield f"        <sdt:media>{xml_text(conversation.media)}</sdt:media>\n"
    for name, value in conversation.extra.items():
        yield f"        <sdt:field{xml_attributes(name=name)}>{xml_text(tidy(str(value)))}</sdt:field>\n"
    for one in conversation.utterances:
        attributes = xml_attributes(id=one.id, speaker=one.speaker, review=one.review) + _own_times(one)
        text = "" if one.text is None else f"<sdt:text>{xml_text(tidy(one.text))}</sdt:text>"
        fields = "".join(
            f"<sdt:field{xml_attributes(name=name)}>{xml_text(tidy(str(value)))}</sdt:field>"
            for name, value in one.extra.items()
            if name not in _dimensions(one)
        )
        yield f"        <sdt:utterance{attributes}>{text}{fields}</sdt:utterance>\n"


def _own_times(one: Utterance) -> str:
    start, end = (None if time is None else round(1000 * time) for time in (one.start, one.end))
    return xml_attributes(start=start, end=end)


def _emotions(
    number: int, one: Utterance, prediction: Prediction | None, names: Mapping[str, str], media: str | None
) -> Iterator[str]:
    """The emotions of an utterance: its label, those of annotators, the prediction, and dimensions."""
    times = _times(one, media)
    if one.label is not None:
        yield _emotion(times, number, "label", f"<category{xml_attributes(name=names[one.label])}/>")
    for annotation in one.annotations:
        confidence = annotation.confidence
        category = xml_attributes(
            name=names[annotation.label], confidence=None if confidence is None else repr(confidence)
        )
        yield _emotion(times, number, "annotator", f"<category{category}/>", name=annotation.annotator)
    if prediction is not None and prediction.emotion is not None:
        first = {prediction.emotion: prediction.probabilities[prediction.emotion]}
        categories = "".join(
            f"<category{xml_attributes(name=names[label], value=f'{min(1.0, share):.6g}')}/>"
            for label, share in {**prediction.probabilities, **first}.items()
        )
        yield _emotion(times, number, "model", categories, name=prediction.emotion)
    if dimensions := _dimensions(one):
        values = "".join(f"<dimension{xml_attributes(name=name, value=repr(of))}/>" for name, of in dimensions.items())
        yield _emotion(times + ' dimension-set="#dimensions"', number, "label", values)


def _emotion(times: str, number: int, by: str, content: str, name: str | None = None) -> str:
    who = f"<info><sdt:of{xml_attributes(utterance=number, by=by, name=name)}/></info>"
    return f"    <emotion{times}>{who}{content}</emotion>\n"


def _times(one: Utterance, media: str | None) -> str:
    """The time of an emotion, relative to the recording."""
    if one.start is None:
        return ""
    start = round(1000 * one.start)
    seconds = None if one.end is None else max(0, round(1000 * one.end) - start)
    return xml_attributes(**{"time-ref-uri": media, "offset-to-start": start, "duration": seconds})


def _dimensions(one: Utterance) -> dict[str, float]:
    """The fields that are dimensions of EmotionML."""
    values = {name: value for name, value in one.extra.items() if name in DIMENSIONS and isinstance(value, float)}
    return {name: value for name, value in values.items() if isinstance(value, float) and 0 <= value <= 1}
