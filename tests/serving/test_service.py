"""How a service is guarded, what it logs, how it stops, and how it describes itself."""

from __future__ import annotations

import http.client
import json
import re
import signal
import sys
import threading
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.forks import fork
from tests.serving.running import TERMINATED, Running, running

pytestmark = pytest.mark.xdist_group("serving")
SECRET = "correct-horse-battery"
WORDS = "Rosebud"
ONE = ("--decoders", "1")
PRIVATE = (("GET", "/v1/model"), ("GET", "/v1/progress/x"), ("GET", "/metrics"), ("POST", "/v1/predict"))
HELLO = {"id": "x", "utterances": [{"speaker": "Ann", "text": f"{WORDS} it is."}]}


def test_the_token(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    with running(home / "model", tmp_path / "t", *ONE, "--token-file", str(file), SDT_TOKEN="another") as service:
        for sent in (
            {},
            {"authorization": "Bearer x"},
            {"authorization": f"Basic {SECRET}"},
            {"authorization": SECRET},
        ):
            for method, path in PRIVATE:
                answer = service.ask(method, path, None, sent)
                assert (answer.status, answer.json["error"]["code"]) == (401, "token")
                assert answer.headers["www-authenticate"].startswith("Bearer")
        right = {"authorization": f"bearer {SECRET}"}
        assert service.ask("GET", "/v1/model", None, right).status == 200
        assert service.post(HELLO, **right).status == 200
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/", "/page/app.js"):
            assert service.ask("GET", path).status == 200
        described = service.ask("GET", "/openapi.json").json
        assert described["paths"]["/v1/predict"]["post"]["security"] == [{"token": []}]
        assert SECRET not in service.log()
        assert WORDS not in service.log()


def test_words_are_logged_only_where_that_is_wanted(home: Path, tmp_path: Path) -> None:
    bad = {"utterances": [{"text": WORDS * 5000}]}
    with running(home / "model", tmp_path / "t", *ONE, "--log-words") as service:
        assert service.post(HELLO).status == 200
        assert service.stop() == TERMINATED
        assert f'["Ann", "{WORDS} it is."]' in service.log()
    with running(home / "model", tmp_path / "t", *ONE) as service:
        assert service.post(HELLO).status == 200
        assert service.post(bad).status == 422
        assert service.post(json.dumps(HELLO).encode()[:-3]).status == 400
        assert service.post_parts(("transcript", f"{WORDS}.txt", f"Ann: {WORDS}\n".encode())).status == 200
        assert service.stop() == TERMINATED
        assert WORDS not in service.log()
        assert "Ann" not in service.log()
        assert re.search(r"POST /v1/predict 200 \d+ ms, 1 conversations, 1 utterances, 0 recordings", service.log())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_requests_finish_and_new_ones_are_told(home: Path, tmp_path: Path, number: int) -> None:
    with running(home / "model", tmp_path / "t", *ONE) as service:
        body = json.dumps(HELLO).encode()
        slow = service.connect()
        slow.putrequest("POST", "/v1/predict")
        slow.putheader("content-length", str(len(body)))
        slow.putheader("content-type", "application/json")
        slow.endheaders(body[:10])
        service.until_running(1)
        service.process.send_signal(number)
        until = time.monotonic() + 20
        while (ready := service.ask("GET", "/readyz")).status == 200 and time.monotonic() < until:
            time.sleep(0.02)
        assert (ready.status, ready.json["error"]["code"]) == (503, "stopping")
        new = service.post(HELLO)
        assert (new.status, new.json["error"]["code"]) == (503, "stopping")
        assert service.ask("GET", "/healthz").status == 200
        slow.send(body[10:])
        answer = slow.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["predictions"][0]["text"] == f"{WORDS} it is."
        slow.close()
        assert service.process.wait(30) == 128 + number
        assert "Traceback" not in service.log()


def test_what_does_not_finish_is_not_waited_for_forever(home: Path, tmp_path: Path) -> None:
    with running(home / "model", tmp_path / "t", *ONE, "--stop-seconds", "1") as service:
        slow = service.connect()
        slow.putrequest("POST", "/v1/predict")
        slow.putheader("content-length", "100")
        slow.putheader("content-type", "application/json")
        slow.endheaders(b"{")
        service.until_running(1)
        begun = time.monotonic()
        assert service.stop() == TERMINATED
        assert time.monotonic() - begun < 20
        slow.close()


def test_many_clients_together(service: Running) -> None:
    """Each gets its own answer, the same as alone, though they run together."""
    chats = [
        {"id": f"c{k}", "utterances": [{"speaker": "A", "text": f"{k} and {j}"} for j in range(k % 7 + 1)]}
        for k in range(40)
    ]
    alone = [service.post(chat).json for chat in chats]
    found: dict[int, Any] = {}

    def ask(k: int) -> None:
        found[k] = service.post(chats[k])

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(len(chats))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, expected in enumerate(alone):
        assert found[k].status == 200
        for one, other in zip(found[k].json["predictions"], expected["predictions"], strict=True):
            assert (one["conversation"], one["text"], one["emotion"]) == (
                other["conversation"],
                other["text"],
                other["emotion"],
            )
            assert list(one["probabilities"].values()) == pytest.approx(list(other["probabilities"].values()), abs=2e-6)
    numbers = service.ask("GET", "/metrics").body.decode()
    batches = float(re.search(r"sdt_batch_conversations_count (\S+)", numbers)[1])  # type: ignore[index]
    conversations = float(re.search(r"sdt_batch_conversations_sum (\S+)", numbers)[1])  # type: ignore[index]
    assert batches < conversations


def test_metrics(service: Running) -> None:
    def value(line: str) -> float:
        found = re.search(rf"^{re.escape(line)} (\S+)$", service.ask("GET", "/metrics").body.decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    good, said = 'sdt_requests_total{route="/v1/predict",status="200"}', "sdt_utterances_total"
    before = value(good), value(said)
    service.post({"utterances": [{"text": "Hi"}] * 3})
    assert (value(good), value(said)) == (before[0] + 1, before[1] + 3)
    lost = 'sdt_requests_total{route="other",status="404"}'
    before_lost = value(lost)
    for k in range(5):
        service.ask("GET", f"/{k}")
    assert value(lost) == before_lost + 5
    assert value("sdt_requests_running") == 0


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            if name in ("href", "src"):
                self.links.add(value or "")


def test_documentation_needs_nothing_from_elsewhere(service: Running) -> None:
    answer = service.ask("GET", "/docs")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    page = _Links()
    page.feed(answer.body.decode())
    assert not page.tags & {"script", "img", "link", "iframe"}
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= page.ids
    assert {link for link in page.links if not link.startswith("#")} == {"openapi.json"}
    for path in ("/v1/predict", "/v1/predict/batch", "/v1/model", "/healthz", "/readyz", "/metrics"):
        assert path in answer.body.decode()


def test_the_description_fits_what_is_answered(service: Running) -> None:
    """Every reference leads somewhere, and the answers have the shape that is promised."""
    described = service.ask("GET", "/openapi.json").json
    schemas = described["components"]["schemas"]
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert names <= schemas.keys()
    example = described["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    answer = service.post(example).json
    batch = described["paths"]["/v1/predict/batch"]["post"]["requestBody"]["content"]["application/json"]["example"]
    many = service.post(batch, "/v1/predict/batch").json
    model = service.ask("GET", "/v1/model").json
    refusal = service.post({}).json
    for name, value in (
        ("PredictionResponse", answer),
        ("BatchResponse", many),
        ("ModelResponse", model),
        ("ErrorResponse", refusal),
    ):
        fits(schemas[name], value, schemas, name)
    operations = [o for path in described["paths"].values() for o in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    codes = set(described["paths"]["/v1/predict"]["post"]["responses"])
    assert codes == {"200", "400", "401", "403", "413", "415", "422", "429", "500", "501", "503"}


def fits(schema: dict[str, Any], value: Any, schemas: dict[str, Any], where: str) -> None:
    """A small check of a value against a schema; what it does not know is an error."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        errors = []
        for one in schema["anyOf"]:
            try:
                return fits(one, value, schemas, where)
            except AssertionError as error:
                errors.append(error)
        raise errors[0]
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int}
    if schema.get("type") == "number":
        assert isinstance(value, int | float), where
    elif "type" in schema:
        assert isinstance(value, kinds[schema["type"]]), f"{where}: {value!r}"
    if schema.get("type") == "array":
        for one in value:
            fits(schema["items"], one, schemas, f"{where}[]")
    if schema.get("type") == "object":
        known = schema.get("properties", {})
        assert set(schema.get("required", ())) <= value.keys(), where
        for name, one in value.items():
            more = schema.get("additionalProperties", False)
            if name in known:
                fits(known[name], one, schemas, f"{where}.{name}")
            elif more is not True:
                assert more, f"{where}.{name} is not described"
                fits(more, one, schemas, f"{where}.{name}")
    return None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "no-such-model"), "no-such-model"),
        (("--port", "70000"), "--port 70000:"),
        (("--host", "192.0.2.1"), "192.0.2.1:0: cannot listen"),
        (("--utterances", "0"), "--utterances: 0"),
        (("--request-seconds", "nan"), "--request-seconds: nan"),
        (("--window", "8", "--overlap", "9"), "overlap: 9 of a window of 8"),
        (("--token-file", "nowhere"), "--token-file nowhere: cannot be read"),
    ],
)
def test_mistakes_end_with_code_2(
    home: Path, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from sdt.__main__ import main

    model = () if "--model" in options else ("--model", str(home / "model"))
    assert main(["serve", *model, "--port", "0", *options]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_an_address_in_use_and_an_empty_token(
    service: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sdt.__main__ import main

    assert main(["serve", "--port", str(service.port)]) == 2
    assert f"127.0.0.1:{service.port}: cannot listen" in capsys.readouterr().err
    monkeypatch.setenv("SDT_TOKEN", " ")
    assert main(["serve", "--port", "0"]) == 2
    assert "SDT_TOKEN:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    from sdt.serving.server import is_loopback

    assert is_loopback(host) == loopback


@pytest.mark.slow
def test_others_can_reach_it_only_with_a_warning(home: Path) -> None:
    with fork("sdt", ["serve", "--model", str(home / "model"), "--port", "0", "--host", "0.0.0.0", *ONE]) as one:
        assert one.stderr
        assert "0.0.0.0" in one.stdout.readline()
        assert one.stderr.readline().startswith("warning: everyone who can reach 0.0.0.0")
        one.terminate()
        one.stdout.read()
        one.stderr.read()
    assert one.returncode == TERMINATED


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sdt.__main__ import main

    for name in [name for name in sys.modules if name.startswith("sdt.serving.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 2
    assert "pip install 'sdt-erc[serve]'" in capsys.readouterr().err


def test_a_connection_is_kept(service: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    for _ in range(3):
        connection.request("POST", "/v1/predict", json.dumps(HELLO), {"content-type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
        line = connection.sock
    assert connection.sock is line
    connection.close()
