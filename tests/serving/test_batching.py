"""Who runs with whom, with a computation that says what it was given."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sdt.errors import InputError
from sdt.prediction.predictions import Predictions
from sdt.serving.batching import Batcher
from sdt.serving.predictor import Predictor, PreparedConversation
from tests.prediction.models import chat

Group = Batcher[PreparedConversation, Predictions]


class Recorder:
    """Notes the groups; computes when it is let."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.begun = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self.error: Exception | None = None

    def __call__(self, group: Sequence[PreparedConversation]) -> list[Predictions | InputError]:
        self.begun.set()
        self.free.wait(10)
        self.groups.append([one.conversation.id for one in group])
        if self.error:
            raise self.error
        return [
            InputError("no") if one.conversation.id == "bad" else Predictions([one.conversation], [], ["yes"], {})
            for one in group
        ]

    async def computes(self) -> None:
        """Until it has begun with a group."""
        await asyncio.to_thread(self.begun.wait, 10)


def prepared(name: str, length: int = 2) -> PreparedConversation:
    return PreparedConversation(chat(name, length), [])


def run(use: Callable[[Group, Recorder], object], wait: float = 0.05, utterances: int = 20) -> Recorder:
    async def main() -> None:
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(recorder, wait, utterances, executor=thread)
            batcher.start()
            try:
                await use(batcher, recorder)  # type: ignore[misc]
            finally:
                await batcher.close()

    recorder = Recorder()
    asyncio.run(main())
    return recorder


def test_those_that_come_together_run_together() -> None:
    async def use(batcher: Group, _: Recorder) -> None:
        found = await asyncio.gather(*(batcher.predict(prepared(name)) for name in "abc"))
        assert [one.conversations[0].id for one in found] == ["a", "b", "c"]

    assert run(use).groups == [["a", "b", "c"]]


def test_padding_counts_and_the_order_is_kept() -> None:
    """At most 20 slots: 4 conversations of up to 5; one of 30 runs alone."""

    async def use(batcher: Group, _: Recorder) -> None:
        lengths = {"a": 5, "b": 1, "c": 1, "d": 1, "e": 1, "f": 11, "g": 30, "h": 2}
        await asyncio.gather(*(batcher.predict(prepared(name, length)) for name, length in lengths.items()))

    assert run(use).groups == [["a", "b", "c", "d"], ["e"], ["f"], ["g"], ["h"]]


def test_one_alone_waits_no_longer_than_it_must() -> None:
    async def use(batcher: Group, _: Recorder) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await batcher.predict(prepared("a"))
        assert 1.0 <= loop.time() - begun < 30
        begun = loop.time()
        await batcher.predict(prepared("b", 10))  # another of its length would not fit: nobody to wait for
        assert loop.time() - begun < 1.0

    assert run(use, wait=1.0, utterances=19).groups == [["a"], ["b"]]


def test_those_that_come_while_it_computes_gather() -> None:
    async def use(batcher: Group, recorder: Recorder) -> None:
        recorder.free.clear()
        first = asyncio.create_task(batcher.predict(prepared("a")))
        await recorder.computes()
        others = [asyncio.create_task(batcher.predict(prepared(name))) for name in "bcd"]
        await asyncio.sleep(0)  # they ask at the next turn of the loop
        recorder.free.set()
        await asyncio.gather(first, *others)

    assert run(use, wait=0.0).groups == [["a"], ["b", "c", "d"]]


def test_who_gives_up_is_not_computed() -> None:
    async def use(batcher: Group, recorder: Recorder) -> None:
        recorder.free.clear()
        tasks = [asyncio.create_task(batcher.predict(prepared(name))) for name in "abc"]
        await recorder.computes()
        tasks.append(asyncio.create_task(batcher.predict(prepared("d"))))
        tasks.append(asyncio.create_task(batcher.predict(prepared("e"))))
        await asyncio.sleep(0)  # they ask at the next turn of the loop
        tasks[3].cancel()
        tasks[1].cancel()  # this one is being computed already
        recorder.free.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(one, asyncio.CancelledError) for one in found] == [False, True, False, True, False]

    assert run(use, wait=0.0).groups == [["a", "b", "c"], ["e"]]


def test_one_that_cannot_be_predicted_harms_no_other() -> None:
    async def use(batcher: Group, recorder: Recorder) -> None:
        found = await asyncio.gather(
            *(batcher.predict(prepared(name)) for name in ("a", "bad", "c")), return_exceptions=True
        )
        assert [type(one) for one in found] == [Predictions, InputError, Predictions]
        recorder.error = RuntimeError("broken")
        with pytest.raises(RuntimeError, match="broken"):
            await batcher.predict(prepared("d"))
        recorder.error = None
        assert (await batcher.predict(prepared("e"))).notes == ["yes"]
        assert batcher.alive

    run(use)


def test_a_group_with_one_of_no_words(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The real computation: the others get what they would get alone."""
    from dataclasses import replace

    from sdt.conversation import Conversation
    from tests.prediction.models import tiny_model

    folder = tmp_path_factory.mktemp("model")
    tiny_model().save_pretrained(folder)
    predictor = Predictor(str(folder), "cpu")
    talks = [chat("a", 3), chat("b", 2), chat("c", 4)]
    talks[1] = Conversation("b", tuple(replace(u, text=None) for u in talks[1].utterances))
    found = predictor.predict([PreparedConversation(talk, []) for talk in talks])
    assert isinstance(found[1], InputError)
    for place in (0, 2):
        (alone,) = predictor.predict([PreparedConversation(talks[place], [])])
        together = found[place]
        assert isinstance(alone, Predictions)
        assert isinstance(together, Predictions)
        for one, other in zip(together, alone, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_what_the_model_cannot_read_is_said(tmp_path: Path) -> None:
    """As `sdt predict` says it; of what was not made from words, nothing."""
    from sdt.conversation import Conversation, Utterance
    from sdt.encoders.encoder import Encoded
    from tests.prediction.models import tiny_model

    tiny_model({"text": "words:16", "audio": "prosody"}, languages=("en",)).save_pretrained(tmp_path)
    predictor = Predictor(str(tmp_path), "cpu")
    texts = ("Hallo, wie geht es dir heute?", "\U0001f600")
    talk = Conversation("c", tuple(Utterance(str(n), "Ann", text) for n, text in enumerate(texts)))
    heard = Encoded(np.zeros((2, 174), np.float32), np.ones(2, np.bool_), [])
    prepared = PreparedConversation(talk, [], has_recording=True, extracted={"audio": heard}, has_video=True)
    words = Encoded(np.zeros((2, 16), np.float32), np.ones(2, np.bool_), [])
    said, ready = predictor.predict([prepared, PreparedConversation(talk, [], provided={"text": words})])
    assert isinstance(said, Predictions)
    assert isinstance(ready, Predictions)
    beginnings = ("video is not used", "the transcript: the language seems to be de", "1 of 2 utterances have no l")
    assert (said[0].probability or 1) < (ready[0].probability or 0)
    for note, beginning in zip(said.notes, beginnings, strict=True):
        assert note.startswith(beginning)
    assert ready.notes == ["audio: not used: no recording was given"]


def test_long_conversations_are_cut_as_sdt_predict_cuts_them(tmp_path: Path) -> None:
    from sdt.prediction import Pipeline
    from tests.prediction.models import tiny_model

    tiny_model().save_pretrained(tmp_path)
    talks = [chat("long", 20), chat("short", 3)]
    found = Predictor(str(tmp_path), "cpu", window=8, overlap=4).predict(
        [PreparedConversation(talk, []) for talk in talks]
    )
    expected = Pipeline(tiny_model(), window=8, overlap=4)(talks).by_conversation
    whole = Pipeline(tiny_model())(talks).by_conversation
    for talk, said in zip(talks, found, strict=True):
        assert isinstance(said, Predictions)
        for one, other in zip(said, expected[talk.id], strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)
    assert expected["short"] == whole["short"]
    assert expected["long"][10].probabilities != pytest.approx(whole["long"][10].probabilities, abs=1e-5)


def test_batchers_of_one_thread_take_turns() -> None:
    """Neither computes while the other does, and neither waits until the other has nothing more to do."""
    running, order = threading.Lock(), []

    def compute(name: str) -> Callable[[Sequence[str]], list[int | InputError]]:
        def computed(group: Sequence[str]) -> list[int | InputError]:
            assert running.acquire(blocking=False)
            time.sleep(0.01)
            order.append(name)
            running.release()
            return [len(one) for one in group]

        return computed

    async def main() -> None:
        with ThreadPoolExecutor(1) as thread:
            batchers = [Batcher(compute(name), 0.0, 1, executor=thread) for name in "ab"]
            for batcher in batchers:
                batcher.start()
            answers = [batcher.predict("x" * (k + 1)) for k in range(5) for batcher in batchers]
            assert await asyncio.gather(*answers) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
            for batcher in batchers:
                await batcher.close()

    asyncio.run(main())
    assert "".join(order) == "ababababab"
