"""The application: its routes, and the middleware around them.

The routes of the web page at `/` are in `page_routes`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, WebSocket
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import sdt
from sdt.serving import model_schemas, schemas
from sdt.serving.convert_routes import add_conversion
from sdt.serving.errors import APIError
from sdt.serving.middleware import ServiceMiddleware
from sdt.serving.monitoring import METRICS_TYPE, PROGRESS_HEADER
from sdt.serving.openapi import BATCH_BODY, PREDICT_BODY, TRANSCRIPT_BODY, docs_page, errors, install_openapi
from sdt.serving.page_routes import add_page
from sdt.serving.responses import (
    JSON_LINES,
    first_error,
    http_error,
    json_lines,
    json_response,
    log_request,
    prediction_json,
    transcript_json,
    while_connected,
)
from sdt.serving.service import Service
from sdt.serving.stream import handle_stream
from sdt.serving.transcribe_request import transcribe
from sdt.serving.transcribe_routes import add_transcription

ANSWER_BYTES = 1024
"""Bytes of a response for each utterance, roughly."""
NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
NO_TELEMETRY |= {"auto_configure": False, "exclude": lambda _: True}
"""Disables all telemetry of FastAPI."""
ProgressId = Annotated[
    str | None,
    Header(
        alias="X-Progress-Id",
        description="an id chosen by the client, to poll /v1/progress/ID meanwhile",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]{16,64}$"},
    ),
]


def create_app(service: Service) -> FastAPI:
    """Create the ASGI application of a service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.close()

    app = FastAPI(
        title="SDT",
        summary="Emotion recognition in conversations",
        version=sdt.__version__,
        docs_url=None,  # FastAPI's own pages load scripts from other sites
        redoc_url=None,
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
    )
    # The middleware checks the token; this documents it.
    guard = [Depends(HTTPBearer(scheme_name="token", auto_error=False))] if service.access.requires_token else []
    _add_prediction(app, service, guard)
    _add_stream(app, service, guard)
    add_transcription(app, service, guard)
    add_conversion(app, service, guard)
    _add_model(app, service, guard)
    _add_health(app, service, guard)
    add_page(app)
    app.add_exception_handler(HTTPException, http_error)
    install_openapi(app)
    app.add_middleware(
        ServiceMiddleware,
        config=service.config,
        metrics=service.metrics,
        limiter=service.limiter,
        access=service.access,
        routes=frozenset(path for route in app.routes if isinstance(path := getattr(route, "path", None), str)),
        log_words=service.log_words,
    )
    if service.access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(service.access.origins),
            allow_methods=("GET", "POST"),
            allow_headers=("authorization", "content-type", PROGRESS_HEADER),
            expose_headers=("retry-after",),
        )
    return app


def _add_prediction(app: FastAPI, service: Service, guard: Sequence[Any]) -> None:
    refused = errors(400, 401, 403, 413, 415, 422, 429, 500, 501, 503)

    @app.post(
        "/v1/predict",
        operation_id="predict",
        response_model=schemas.PredictionResponse,
        responses={200: {"content": {JSON_LINES: {"schema": {"type": "string"}}}}, **refused},
        openapi_extra=PREDICT_BODY,
        dependencies=guard,
    )
    async def predict(request: Request, progress_id: ProgressId = None, features: bool = False) -> Response:
        """Predict the emotion of every utterance of a conversation.

        Send JSON, or multipart with a part `transcript` (plain text, CSV, JSON Lines, SRT or WebVTT), a part `media`
        (the recording) or both, or with a part `conversation` (JSON) and the clips that its utterances refer to. A
        recording without a transcript is transcribed, as the parts `speakers`, `language` and `channels` say. With
        `Accept: application/x-ndjson` the response is the file that `sdt predict --output` writes. With `features=true`
        each prediction has the features of its recording, which a later request may contain.
        """
        with service.progress.track(progress_id) as progress:
            async with service.reader.predict_request(request) as parsed:
                await transcribe(service, request, parsed, progress)
                log_request(request, [parsed], words=service.log_words)
                found = await while_connected(request, service.predict(parsed, progress))
                kind = JSON_LINES if JSON_LINES in request.headers.get("accept", "") else "application/json"
                write = (
                    json_lines
                    if kind == JSON_LINES
                    else partial(prediction_json, features=parsed.extracted if features else None)
                )
                content = await service.reader.run_in_thread(ANSWER_BYTES * len(found), lambda: write(found))
        return Response(content, media_type=kind)

    @app.post(
        "/v1/transcript",
        operation_id="read_transcript",
        response_model=schemas.TranscriptResponse,
        responses=errors(400, 401, 403, 413, 415, 422, 429, 500, 503),
        openapi_extra=TRANSCRIPT_BODY,
        dependencies=guard,
    )
    async def read_transcript(request: Request) -> Response:
        """Convert a transcript to JSON conversations in the format of /v1/predict.

        Send multipart with a part `transcript` in any format of /v1/formats that can be read.
        """
        async with service.reader.transcript(request) as read:
            size = ANSWER_BYTES * sum(map(len, read.conversations))
            content = await service.reader.run_in_thread(size, lambda: transcript_json(read))
        return Response(content, media_type="application/json")

    @app.post(
        "/v1/predict/batch",
        operation_id="predict_batch",
        response_model=schemas.BatchResponse,
        responses=refused,
        openapi_extra=BATCH_BODY,
        dependencies=guard,
    )
    async def predict_batch(request: Request) -> Response:
        """Predict several independent conversations."""
        async with service.reader.batch_request(request) as parsed:
            log_request(request, parsed, words=service.log_words)
            try:
                found = await while_connected(request, service.predict_all(parsed))
            except ExceptionGroup as group:
                raise first_error(group) from None
            size = ANSWER_BYTES * sum(map(len, found))
            content = await service.reader.run_in_thread(size, lambda: b", ".join(map(prediction_json, found)))
        return Response(b'{"results": [' + content + b"]}", media_type="application/json")

    @app.get(
        "/v1/progress/{id}",
        operation_id="progress",
        response_model=schemas.ProgressResponse,
        responses=errors(401),
        dependencies=guard,
    )
    async def progress(id: str) -> Response:
        """The progress of the running request to `/v1/predict` that was sent with this id as `X-Progress-Id`."""
        return json_response(service.progress.get(id))


def _add_stream(app: FastAPI, service: Service, guard: Sequence[Any]) -> None:
    @app.websocket("/v1/stream")
    async def stream(websocket: WebSocket) -> None:
        await handle_stream(websocket, service)

    @app.get(
        "/v1/stream",
        operation_id="stream",
        responses={101: {"description": "a WebSocket"}, **errors(401, 403, 422, 426, 503)},
        dependencies=guard,
    )
    async def not_a_websocket(conversation: str | None = None) -> Response:  # noqa: ARG001 - for the OpenAPI document
        """A WebSocket that receives the utterances of a conversation and sends a prediction for each.

        Each message is one JSON object. The service first sends StreamReady with the id of the conversation and the
        number of its next utterance; a client that reconnects with this id continues the conversation. The answer to
        StreamUtterance is StreamPrediction, and the answer to StreamForget is StreamForgotten; the answer to a message
        that cannot be used is StreamError. Browsers send the token as a subprotocol: ["sdt.v1", "bearer." + the token
        in base64url].
        """
        raise APIError(426, "websocket", "open a WebSocket here", headers={"upgrade": "websocket"})


def _add_model(app: FastAPI, service: Service, guard: Sequence[Any]) -> None:
    @app.get(
        "/v1/model",
        operation_id="model",
        response_model=model_schemas.ModelResponse,
        responses=errors(401),
        dependencies=guard,
    )
    async def model() -> Response:
        """The model of the service: its labels, modalities and encoders, the limits, and the model card."""
        predictor, config = service.predictor, service.predictor.config
        return json_response(
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
                "transcriber": service.transcriber,
                "limits": dataclasses.asdict(service.config),
                "card": predictor.card,
            }
        )


def _add_health(app: FastAPI, service: Service, guard: Sequence[Any]) -> None:
    @app.get("/healthz", operation_id="healthz", response_model=model_schemas.StatusResponse)
    async def healthz() -> Response:
        """Whether the process is alive."""
        return json_response({"status": "ok"})

    @app.get("/readyz", operation_id="readyz", response_model=model_schemas.StatusResponse, responses=errors(503))
    async def readyz() -> Response:
        """Whether the service accepts requests; false while it is stopping."""
        if service.limiter.stopping:
            raise APIError(503, "stopping", "the service is stopping")
        if not service.ready:
            raise APIError(503, "not_ready", "the service has stopped computing")
        return json_response({"status": "ready"})

    text = {"content": {"text/plain": {"schema": {"type": "string"}}}}

    @app.get("/metrics", operation_id="metrics", responses={200: text, **errors(401)}, dependencies=guard)
    async def metrics() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(service.metrics.render(), media_type=METRICS_TYPE)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(docs_page(app.openapi()), headers=headers)
