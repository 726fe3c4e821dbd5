"""The routes of the service, and what happens to a request on its way through it.

The page at `/` is in `page_routes`; the gate lets paths outside `/v1/` in without a token.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI, WebSocket
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

import sdt
from sdt.conversation import Conversation
from sdt.errors import InputError, printable
from sdt.formats import Transcript
from sdt.formats.records import utterance_record
from sdt.media.recordings import is_film
from sdt.prediction.predictions import Predictions
from sdt.serving import description, metrics, stream
from sdt.serving.admission import Admission
from sdt.serving.asked import Asked
from sdt.serving.batcher import Batcher
from sdt.serving.decoders import Decoders
from sdt.serving.docs_page import docs_page
from sdt.serving.gate import Doors, Gate
from sdt.serving.memory import MemoryBudget
from sdt.serving.page_routes import add_page
from sdt.serving.predictor import Predictor, Prepared
from sdt.serving.progress import HEADER, Course, Courses
from sdt.serving.reading import Reader
from sdt.serving.refusals import Refusal, invalid
from sdt.serving.settings import Settings
from sdt.serving.steps import Steps
from sdt.serving.talks import Talks

T = TypeVar("T")
log = logging.getLogger("sdt.serving")

LINES = "application/x-ndjson"
"""What a client accepts to get the lines of `sdt predict --output` and nothing else."""
ANSWER = 1024
"""Bytes of an answer for each utterance, about."""
QUIET: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
QUIET["exclude"] = lambda _: True
"""FastAPI's own reporting to other places, where it has any: none."""


class Service:
    """Everything behind the routes.

    Args:
        predictor: The model.
        settings: The limits.
        admission: Who may use it; by default everyone on this machine.
        log_words: Whether the log may hold what was said.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: Settings,
        *,
        admission: Admission | None = None,
        log_words: bool = False,
    ) -> None:
        self.predictor, self.settings, self.log_words = predictor, settings, log_words
        self.admission = admission or Admission()
        self.metrics = metrics.Metrics()
        self.doors = Doors(settings)
        self.metrics.running.set_function(lambda: self.doors.running)
        self.courses = Courses()
        self.memory = MemoryBudget(settings)
        self.reader = Reader(predictor.config, settings, self.memory)
        self.thread = ThreadPoolExecutor(1, "model")
        """Where the model computes, for requests and streams alike."""
        self.batcher = Batcher(
            predictor.predict,
            settings.batch_wait_ms / 1000,
            settings.batch_utterances,
            self.metrics.batch,
            thread=self.thread,
        )
        self.steps = Steps(predictor, settings, self.thread, self.metrics.step)
        self.talks = Talks(settings, self.steps.forget)
        self.metrics.streams.set_function(lambda: self.talks.connected)
        self.metrics.stream_conversations.set_function(lambda: len(self.talks))
        self.decoders: Decoders | None = None
        """None where the model looks at no recordings."""
        if predictor.recorded:
            self.decoders = Decoders(predictor.config, predictor.folder, settings, self.metrics.decoded)

    @property
    def ready(self) -> bool:
        """Whether requests would be answered."""
        return self.batcher.alive and self.steps.alive and not self.doors.stopping

    @property
    def running(self) -> int:
        """How many requests and streams are not at their end."""
        return self.doors.running + self.talks.connected

    def warm_up(self) -> None:
        """Predict something, since whatever runs first loads what it needs; before `start`."""
        self.predictor.warm_up()
        self.steps.warm_up()

    async def start(self) -> None:
        """Begin."""
        self.batcher.start()
        self.steps.start()
        if self.decoders:
            self.decoders.start()

    async def close(self) -> None:
        """End."""
        self.talks.close()
        await self.steps.close()
        await self.batcher.close()
        self.thread.shutdown(wait=False, cancel_futures=True)
        if self.decoders:
            await asyncio.to_thread(self.decoders.close)

    async def predict(self, asked: Asked, course: Course | None = None) -> Predictions:
        """The predictions for one conversation; `course` is told how far it is."""
        course = course or Course()
        prepared = Prepared(asked.conversation, asked.notes, bool(asked.uploads), asked.given)
        prepared.filmed = any(is_film(Path(upload.name)) for upload in asked.uploads)
        if asked.uploads and self.decoders:
            course.waiting()
            report = await self.decoders.report()
            prepared.reasons = {modality: str(said["reason"]) for modality, said in report.items() if "reason" in said}
            prepared.made = await self.decoders.make(asked.conversation, asked.uploads, course.decoding)
            prepared.remarks = [f"{modality}: {said['note']}" for modality, said in report.items() if said.get("note")]
        course.predicting()
        try:
            return await self.batcher.predict(prepared)
        except InputError as error:
            raise invalid(str(error)) from None

    async def several(self, asked: Sequence[Asked]) -> list[Predictions]:
        """The predictions for several conversations, a batch of them at a time, so that others get their turn."""
        found: list[Predictions] = []
        first = 0
        while first < len(asked):
            size, last = 0, first
            while last < len(asked) and (last == first or size < self.settings.batch_utterances):
                size += len(asked[last].conversation)
                last += 1
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.predict(one)) for one in asked[first:last]]
            found += [task.result() for task in tasks]
            first = last
        return found


def create_app(service: Service) -> FastAPI:
    """The application of a service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.close()

    app = FastAPI(
        title="SDT",
        summary="Emotion recognition in conversations",
        version=sdt.__version__,
        docs_url=None,  # those load programs from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        telemetry=QUIET,
    )
    _add_prediction(app, service)
    _add_progress(app, service)
    _add_stream(app, service)
    _add_model(app, service)
    _add_health(app, service)
    _add_docs(app)
    add_page(app)
    app.add_exception_handler(HTTPException, _http_error)
    description.complete(app, guarded=service.admission.guarded)
    app.add_middleware(
        Gate,
        settings=service.settings,
        metrics=service.metrics,
        doors=service.doors,
        admission=service.admission,
        routes=frozenset(path for route in app.routes if isinstance(path := getattr(route, "path", None), str)),
        log_words=service.log_words,
    )
    if service.admission.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(service.admission.origins),
            allow_methods=("GET", "POST"),
            allow_headers=("authorization", "content-type", HEADER),
            expose_headers=("retry-after",),
        )
    return app


def _add_prediction(app: FastAPI, service: Service) -> None:
    @app.post("/v1/predict", **description.PREDICT)
    async def predict(request: Request) -> Response:
        """The emotion of every utterance of a conversation.

        Send JSON, or multipart: a part `transcript` (plain text, CSV, JSON Lines, SRT or WebVTT), a part `media` (the
        recording) or both, or a part `conversation` (JSON) with the clips that its utterances name. With
        `Accept: application/x-ndjson` the answer is the file that `sdt predict --output` writes.
        """
        with service.courses.begun(request.headers.get(HEADER)) as course:
            async with service.reader.one(request) as asked:
                _tell(service, request, [asked])
                found = await _unless_gone(request, service.predict(asked, course))
                kind = LINES if LINES in request.headers.get("accept", "") else "application/json"
                write = _lines if kind == LINES else _answer
                content = await service.reader.in_turn(ANSWER * len(found), lambda: write(found))
        return Response(content, media_type=kind)

    @app.post("/v1/transcript", **description.TRANSCRIPT)
    async def transcript(request: Request) -> Response:
        """The conversations of a transcript as JSON, each as /v1/predict takes it.

        Send multipart: a part `transcript` (plain text, CSV, JSON Lines, a JSON array, SRT or WebVTT).
        """
        async with service.reader.transcript(request) as read:
            size = sum(map(len, read.conversations))
            content = await service.reader.in_turn(ANSWER * size, lambda: _read(read))
        return Response(content, media_type="application/json")

    @app.post("/v1/predict/batch", **description.BATCH)
    async def predict_batch(request: Request) -> Response:
        """The same for several conversations, each by itself."""
        async with service.reader.several(request) as asked:
            _tell(service, request, asked)
            try:
                found = await _unless_gone(request, service.several(asked))
            except ExceptionGroup as group:
                raise _first(group) from None
            size = ANSWER * sum(map(len, found))
            content = await service.reader.in_turn(size, lambda: b", ".join(map(_answer, found)))
        return Response(b'{"results": [' + content + b"]}", media_type="application/json")


def _add_progress(app: FastAPI, service: Service) -> None:
    @app.get("/v1/progress/{id}", **description.PROGRESS)
    async def progress(id: str) -> Response:
        """How far the running request is that was sent to `/v1/predict` with this id as `X-Progress-Id`."""
        return _json(service.courses.told(id))


def _add_stream(app: FastAPI, service: Service) -> None:
    @app.websocket("/v1/stream")
    async def utterances(websocket: WebSocket) -> None:
        await stream.stream(websocket, service)

    @app.get("/v1/stream", **description.STREAM)
    async def no_stream(conversation: str | None = None) -> Response:  # noqa: ARG001 - what a WebSocket may ask for
        """A WebSocket for a conversation that goes on: utterances in, predictions out as they come.

        The service says StreamReady first, with the id of the conversation and how many utterances it has of it;
        whoever comes back with that id goes on there. Send StreamUtterance, the answer is StreamPrediction; send
        StreamForget, the answer is StreamForgotten; what cannot be used is answered with StreamError. Each is one JSON
        object. Browsers send the token as a subprotocol: ["sdt.v1", "bearer." + the token in base64url].
        """
        raise Refusal(426, "websocket", "open a WebSocket here", headers={"upgrade": "websocket"})


def _add_model(app: FastAPI, service: Service) -> None:
    @app.get("/v1/model", **description.MODEL)
    async def model() -> Response:
        """What answers here: labels, modalities with their encoders, the limits, the model card."""
        predictor, config = service.predictor, service.predictor.config
        return _json(
            {
                "name": predictor.name,
                "version": sdt.__version__,
                "labels": list(config.labels),
                "modalities": {
                    modality: {
                        "width": width,
                        "encoder": config.encoders.get(modality, "unknown"),
                        "recorded": modality in predictor.recorded,
                        "available": modality in predictor.makers,
                    }
                    for modality, width in config.modalities.items()
                },
                "speakers": config.speakers.mode,
                "provenance": dict(config.provenance),
                "temperatures": dict(config.temperatures),
                "limits": dataclasses.asdict(service.settings),
                "card": predictor.card,
            }
        )


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", **description.HEALTH)
    async def healthz() -> Response:
        """Whether the process lives."""
        return _json({"status": "ok"})

    @app.get("/readyz", **description.READY)
    async def readyz() -> Response:
        """Whether it answers requests; not so any more when it is stopping."""
        if service.doors.stopping:
            raise Refusal(503, "stopping", "the service is stopping")
        if not service.ready:
            raise Refusal(503, "not_ready", "the service computes nothing")
        return _json({"status": "ready"})

    @app.get("/metrics", **description.METRICS)
    async def numbers() -> Response:
        """Numbers for Prometheus."""
        return Response(service.metrics.text(), media_type=metrics.TYPE)


def _add_docs(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(docs_page(app.openapi()), headers=headers)


def _tell(service: Service, request: Request, asked: Sequence[Asked]) -> None:
    """What the log says of a request: how much was asked, and the words only where that is wanted."""
    said = request.state.said
    said["conversations"] = len(asked)
    said["utterances"] = sum(len(one.conversation) for one in asked)
    said["recordings"] = sum(len(one.uploads) for one in asked)
    if service.log_words:
        for one in asked:
            words = [[utterance.speaker, utterance.text] for utterance in one.conversation.utterances]
            log.info("conversation %s", printable(json.dumps([one.conversation.id, words], ensure_ascii=False)))


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do the work, unless the client leaves before it is done.

    Raises:
        ClientDisconnect: It has left; the work was given up.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """The refusal of the first conversation that was refused, or what went wrong."""
    found = [error for error in group.exceptions if isinstance(error, Refusal)]
    return found[0] if found else group.exceptions[0]


def _records(found: Predictions) -> list[dict[str, object]]:
    said = [utterance for conversation in found.conversations for utterance in conversation.utterances]
    return [utterance_record(prediction, utterance) for prediction, utterance in zip(found, said, strict=True)]


def _lines(found: Predictions) -> bytes:
    """The file that `sdt predict --output` writes."""
    return b"".join(_dump(one) + b"\n" for one in _records(found))


def _answer(found: Predictions) -> bytes:
    """The JSON of an answer."""
    missing = {modality: list(problems) for modality, problems in found.missing.items() if problems}
    return _dump({"predictions": _records(found), "notes": found.notes, "missing": missing})


def _read(transcript: Transcript) -> bytes:
    """The JSON of a transcript's conversations."""
    return _dump({"conversations": [_given(one) for one in transcript.conversations], "notes": transcript.notes})


def _given(conversation: Conversation) -> dict[str, object]:
    said = [dataclasses.asdict(utterance) for utterance in conversation.utterances]
    utterances = [{name: value for name, value in one.items() if value is not None} for one in said]
    return {"id": conversation.id, "utterances": utterances}


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _json(value: object) -> Response:
    return Response(_dump(value), media_type="application/json")


async def _http_error(_: Request, error: Exception) -> Response:
    """What the framework refuses, in the form of all refusals."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method"}
    refusal = Refusal(error.status_code, codes.get(error.status_code, "malformed"), str(error.detail))
    headers = {**refusal.headers, **(error.headers or {})}
    return JSONResponse(json.loads(refusal.body()), status_code=error.status_code, headers=headers)
