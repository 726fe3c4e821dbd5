"""`WebSocket /v1/listen`: a client sends live sound and receives the words and the emotion of each utterance.

The sound is cut at pauses (`speech_cutter`); each stretch is recognised, cut into utterances, and predicted as the
next utterances of a stream (`stream`). A stretch that goes on is recognised from time to time: its finished sentences,
and what was said before another voice began, do not wait for a pause. It is also recognised as soon as a pause begins,
so that its words are known when the pause has become long enough to end it. The service stops reading sound while
several stretches wait.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
import wave
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from sdt.conversation import Utterance, Word
from sdt.formats.parsing.word_groups import ENDS
from sdt.serving.errors import APIError, invalid_request
from sdt.serving.schemas import MOST_WORDS, StreamForget, StreamUtterance
from sdt.serving.service import Service
from sdt.serving.sessions import IDLE, CloseReason
from sdt.serving.speech_cutter import SpeechCutter, Stretch
from sdt.serving.speech_schemas import ListenSpeaker
from sdt.serving.stream import StreamConnection, handle_connection
from sdt.serving.transcriber_pool import LiveSpeech
from sdt.speech.transcriber import RATE
from sdt.speech.utterances import cut

UNAVAILABLE = CloseReason(4003, "live speech is not recognised here")
FAILED = CloseReason(1011, "internal error")
WAITING = 4
"""Stretches of speech that may wait for the recogniser."""
PEEK, PEEK_FROM = 0.2, 1.5
"""Least seconds between two looks at a stretch that goes on, and its least duration. They are at least half of the
time that the last look took, so that a busy recogniser is asked less often."""
EARLY = 0.15
"""Seconds of a pause after which a stretch is looked at: if nothing follows, these are its words."""
TICK = 0.05
"""Seconds between two checks of whether to look."""
SETTLED = 1
"""Words after the end of a sentence that show that the recogniser will not change it."""
MOST_BYTES = 2**20
"""Bytes of a message of sound: half a minute."""


async def handle_listen(websocket: WebSocket, service: Service) -> None:
    """Handle one connection from the handshake to its end.

    Raises:
        APIError: There are too many sessions, or the id of the conversation is not valid.
        WebSocketDisconnect: The client has disconnected.
    """
    await handle_connection(websocket, service, ListenConnection)


class ListenConnection(StreamConnection):
    """A connection that sends sound."""

    async def run(self) -> CloseReason:
        """Answer sound until the connection has to close.

        Raises:
            WebSocketDisconnect: The client has disconnected.
        """
        self._speaker = self._session.speaker
        self._language = self._websocket.query_params.get("language")
        """ISO 639-1; None to detect it."""
        self._cutter = SpeechCutter()
        self._done = 0.0
        """The end of what was predicted within a stretch, in seconds of sound."""
        self._next_look = 0.0
        """When to look again while someone speaks."""
        self._early: tuple[float, Sequence[Word]] | None = None
        """The end of the last loud frame before a pause that was looked at, and the words before it."""
        self._stretches: asyncio.Queue[tuple[str, Stretch]] = asyncio.Queue(WAITING)
        try:
            await self._service.listeners.report()
        except APIError as error:
            await self._send_error(error)
            return UNAVAILABLE
        await self._send_ready()
        recogniser = self._recogniser = asyncio.create_task(self._recognise())
        recogniser.add_done_callback(self._close_after)
        try:
            while (message := await self._receive()) is not None:
                if "bytes" in message:
                    await self._hear(message["bytes"])
                elif not await self._obey(message["text"]):
                    break
        finally:
            recogniser.cancel()
            with suppress(asyncio.CancelledError):
                await recogniser
        return self._closing.result() if self._closing.done() else IDLE

    async def _hear(self, sound: bytes) -> None:
        if len(sound) > MOST_BYTES or len(sound) % 2:
            text = (
                f"a message of sound has {len(sound):,} bytes; send whole 16-bit samples, at most {MOST_BYTES:,} bytes"
            )
            await self._send_error(invalid_request(text))
            return
        await self._tell(self._cutter.push(np.frombuffer(sound, dtype="<i2").astype(np.float32) / np.float32(32768)))

    async def _tell(self, stretches: Sequence[Stretch]) -> None:
        """Tell the client of stretches that have begun or ended; those that have ended are queued."""
        for stretch in stretches:
            end = None if stretch.end is None else round(stretch.end, 3)
            await self._send({"type": "speech", "start": round(stretch.start, 3), "end": end})
            if stretch.samples is not None:
                await self._while_recognising(self._stretches.put((self._speaker, stretch)))

    async def _obey(self, text: str) -> bool:
        """Handle a text message; False if a newer connection has taken over the session."""
        try:
            message = (await self._service.reader.listen_message(text)).root
        except APIError as error:
            await self._send_error(error)
            return True
        if isinstance(message, ListenSpeaker):
            await self._tell(self._cutter.end())  # a stretch has one speaker
            self._speaker = message.name
            return True
        await self._tell(self._cutter.end())
        await self._while_recognising(self._stretches.join())
        if isinstance(message, StreamForget):
            async with self._session.lock:
                if self._closing.done():
                    return False
                self._service.sessions.reset(self._session)
        await self._send({"type": "forgotten" if isinstance(message, StreamForget) else "ended"})
        return True

    def _close_after(self, recogniser: asyncio.Task[None]) -> None:
        """Close the connection if the recogniser has failed."""
        if not recogniser.cancelled() and not self._closing.done():
            self._closing.set_result(FAILED)

    async def _while_recognising(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for something that the recogniser brings about, unless it fails."""
        task = asyncio.create_task(work)
        await asyncio.wait({task, self._recogniser}, return_when=asyncio.FIRST_COMPLETED)
        if self._recogniser.done():
            task.cancel()
            await self._recogniser

    async def _recognise(self) -> None:
        """Predict the queued stretches, one after the other, and look at the current one when there are none."""
        while True:
            try:
                speaker, stretch = await asyncio.wait_for(self._stretches.get(), TICK)
            except TimeoutError:
                await self._peek()
                continue
            try:
                if self._early is not None and self._early[0] == stretch.last:
                    words = self._early[1]
                else:
                    words = (await self._speech(self._rest(stretch))).words
                await self._predict_words(speaker, stretch, words)
            finally:
                self._stretches.task_done()

    def _rest(self, stretch: Stretch) -> Stretch:
        """A stretch without what was predicted before it ended."""
        assert stretch.samples is not None
        done = min(max(self._done, stretch.start), stretch.start + len(stretch.samples) / RATE)
        return Stretch(done, stretch.end, stretch.samples[round((done - stretch.start) * RATE) :])

    async def _peek(self) -> None:
        """Predict what is finished of a stretch that goes on, and keep the other words if a pause has begun."""
        current = self._cutter.current()
        if current is None or not self._is_due(current):
            return
        speaker, started = self._speaker, time.monotonic()
        heard = await self._speech(current)
        words = heard.words
        now = time.monotonic()
        self._next_look = now + max(PEEK, (now - started) / 2)
        if _paused(current):
            assert current.last is not None
            self._early = current.last, words
        count = _finished(heard)
        if not count:
            return
        last = words[count - 1].end
        self._done = last + min(max(words[count].start - last, 0.0) / 2, 0.1)
        self._cutter.advance(self._done)
        if self._early is not None and self._early[0] == current.last:
            self._early = self._early[0], words[count:]
        await self._predict_words(speaker, current, words[:count])

    def _is_due(self, current: Stretch) -> bool:
        """Whether to look at the current stretch: once in a pause, and from time to time while someone speaks."""
        if _paused(current):
            return self._early is None or self._early[0] != current.last
        assert current.end is not None
        return current.end - current.start >= PEEK_FROM and time.monotonic() >= self._next_look

    async def _speech(self, stretch: Stretch) -> LiveSpeech:
        """What is said in a stretch, with times of the connection; nothing if it cannot be recognised."""
        assert stretch.samples is not None
        try:
            heard = await self._service.listeners.words(stretch.samples, self._language)
        except APIError as error:
            await self._refuse(error)
            return LiveSpeech()
        start = stretch.start
        words = [replace(one, start=round(one.start + start, 3), end=round(one.end + start, 3)) for one in heard.words]
        return LiveSpeech(words, None if heard.change is None else heard.change + start)

    async def _predict_words(self, speaker: str, stretch: Stretch, words: Sequence[Word]) -> None:
        """Predict the utterances of these words, and send the predictions."""
        heard = bool(self._service.stream_batcher.recorded)
        for utterance in cut([(speaker, word) for word in words]):
            try:
                async with self._session.lock:
                    if self._closing.done():
                        return
                    clip = _clip(stretch, utterance) if heard else None
                    answer = await self._answer_utterance(_message(utterance, clip))
                with suppress(WebSocketDisconnect):
                    await self._websocket.send_text(answer)
            except APIError as error:
                await self._refuse(error)

    async def _refuse(self, error: APIError) -> None:
        self._fields["errors"] += 1
        with suppress(WebSocketDisconnect):
            await self._send_error(error)

    async def _send_error(self, error: APIError) -> None:
        await self._send({"type": "error", "seq": None, **json.loads(error.body())})

    async def _send(self, message: dict[str, object]) -> None:
        await self._websocket.send_text(json.dumps(message))


def _finished(heard: LiveSpeech) -> int:
    """How many words of a stretch that goes on are predicted now: those of finished sentences and previous speakers."""
    settled = heard.words[:-SETTLED]
    ends = [number for number, word in enumerate(settled, start=1) if word.text.endswith(ENDS)]
    if heard.change is not None:
        ends.append(sum((word.start + word.end) / 2 < heard.change for word in settled))
    return max(ends, default=0)


def _paused(stretch: Stretch) -> bool:
    """Whether a pause has begun in a stretch that goes on."""
    return stretch.end is not None and stretch.last is not None and stretch.end - stretch.last >= EARLY


def _message(utterance: Utterance, clip: str | None) -> StreamUtterance:
    """An utterance as a client of `/v1/stream` would send it."""
    words = [{**asdict(word), "text": word.text[:200]} for word in utterance.words[:MOST_WORDS]]
    said = {"speaker": utterance.speaker, "text": utterance.text, "start": utterance.start, "end": utterance.end}
    more = {} if clip is None else {"clip": {"base64": clip}}
    return StreamUtterance.model_validate({"type": "utterance", **said, "words": words, **more})


def _clip(stretch: Stretch, utterance: Utterance) -> str:
    """The sound of an utterance as a WAV file in base64."""
    assert stretch.samples is not None
    assert utterance.start is not None
    assert utterance.end is not None
    begin, end = (round((time - stretch.start) * RATE) for time in (utterance.start, utterance.end))
    samples = stretch.samples[max(0, begin) : max(end, begin + RATE // 10)]
    content = io.BytesIO()
    with wave.open(content, "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        sound.writeframes((samples * 32767).astype("<i2").tobytes())
    return base64.b64encode(content.getvalue()).decode("ascii")
