"""Utterances per second of the feature encoders, on generated clips: a drawn face that speaks in synthetic syllables.

Every encoder has a process of its own, from which the first turn (loading of models) does not count. Nothing is taken
from the cache.

    python -m benchmarks.features
    python -m benchmarks.features --encoder prosody --encoder faces:speaking
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.workers import Worker, seconds
from sdt.conversation import Utterance
from sdt.device import choose_device
from sdt.encoders.encoder import Source, feature_encoder
from sdt.errors import MissingDependencyError
from sdt.evaluation.table import plain_table
from sdt.media.clip import Clip
from sdt.puppets.generate import generate

ENCODERS = (
    "minilm",
    "minilm:layers",
    "words:256",
    "prosody",
    "praat",
    "opensmile:IS10",
    "opensmile:eGeMAPSv02",
    "opensmile:ComParE_2016",
    "faces",
    "faces:speaking",
)
HEIGHT, WIDTH, PER_SECOND = 720, 1280, 24
"""Of the films: MELD's."""


@dataclass
class Rate:
    """What an encoder came to."""

    encoder: str
    width: int = 0
    utterances: int = 0
    media_seconds: float = 0.0
    """Of all utterances together; 0 for an encoder of text."""
    seconds: list[float] = field(default_factory=list)
    """For all utterances, by turn."""
    problem: str = ""
    """Why there is nothing: a package is not installed."""

    @property
    def speed(self) -> list[float]:
        """Utterances per second, by turn."""
        return [self.utterances / taken for taken in self.seconds]


class Encoding:
    """An encoder with its utterances; made in the process that is measured."""

    def __init__(self, name: str, texts: Sequence[str], clips: Sequence[Path]) -> None:
        self.encoder = feature_encoder(name)
        if self.encoder.modality == "text":
            self.sources = [Source("c", Utterance(str(i), "speaker", text)) for i, text in enumerate(texts)]
        else:
            self.sources = [Source("c", Utterance(str(i), "speaker", ""), Clip(path)) for i, path in enumerate(clips)]

    def about(self) -> tuple[int, int, bool]:
        """Width, utterances, and whether the encoder works on media."""
        return self.encoder.width, len(self.sources), self.encoder.modality != "text"

    def encode(self) -> float:
        """Seconds for all utterances.

        Raises:
            RuntimeError: Some are missing, so that the time would say nothing.
        """
        encoded = []
        taken = seconds(lambda: encoded.append(self.encoder.encode(self.sources)), choose_device("cpu"))
        if not encoded[0].present.all():
            raise RuntimeError(encoded[0].problems[0])
        return taken


def measure(name: str, texts: Sequence[str], clips: Sequence[tuple[Path, float]], threads: int, repeats: int) -> Rate:
    """Encode in a new process.

    Args:
        name: Of the encoder.
        texts: What an encoder of text gets.
        clips: What any other gets: files, and how long they are in seconds.
        threads: PyTorch's.
        repeats: Turns that count.

    Raises:
        InputError: There is no encoder of this name.
    """
    rate = Rate(name)
    try:
        with Worker(threads, Encoding, name, texts, [path for path, _ in clips]) as worker:
            rate.width, rate.utterances, media = worker.ask("about")
            rate.media_seconds = sum(length for _, length in clips) if media else 0.0
            rate.seconds = [worker.ask("encode") for _ in range(repeats + 1)][1:]
    except MissingDependencyError as error:
        rate.problem = str(error)
    return rate


def sentences(count: int, seed: int) -> list[str]:
    """What puppets say."""
    said = (u.text for scene in generate(seed, 3 + count // 5) for u in scene.conversation.utterances if u.text)
    return [text for text, _ in zip(said, range(count), strict=False)]


def films(folder: Path, count: int, seed: int, height: int = HEIGHT, width: int = WIDTH) -> list[tuple[Path, float]]:
    """Write films of 2 to 3 seconds of a face whose mouth moves with its syllables; paths and lengths.

    Raises:
        MissingDependencyError: PyAV or OpenCV is not installed.
    """
    # What tests draw and say; only where films are wanted, since it needs optional packages.
    from tests.encoders.clips import write_clip
    from tests.encoders.drawn import face, scene
    from tests.encoders.voices import syllables

    found = []
    for number, length in enumerate(np.random.default_rng(seed).uniform(2, 3, count).tolist()):
        sound = syllables(round(length / 0.25), hertz=(110.0 + 20 * number % 90, 140.0))
        side, frames = height // 2, round(length * PER_SECOND)
        mouths = [round(abs(np.sin(4 * np.pi * k / PER_SECOND)), 1) for k in range(frames)]
        place = (width // 3, height // 4)
        pictures = [scene((face(side, mouth), *place), height=height, width=width) for mouth in mouths]
        path = folder / f"c_{number}.mp4"
        write_clip(path, sound[None], pictures=pictures, per_second=PER_SECOND)
        found.append((path, length))
    return found


def show(rates: Sequence[Rate], note: str) -> None:
    """Print the table."""
    table = plain_table("encoder", "width", "utterances/s", "media seconds/s")
    for rate in rates:
        if rate.problem:
            table.add_row(rate.encoder, "", "not installed", "")
            continue
        media = [rate.media_seconds / taken for taken in rate.seconds]
        table.add_row(
            rate.encoder,
            f"{rate.width:,}",
            report.shown(rate.speed, 1),
            report.shown(media, 1) if rate.media_seconds else "",
        )
    console = report.console()
    console.print(table)
    console.print(f"median (lowest-highest)\n{note}")


def main() -> None:
    """Measure, print, write."""
    parser = report.parser(__doc__, repeats=5)
    parser.add_argument("--encoder", action="append", dest="encoders", metavar="NAME", help="default: all offline ones")
    parser.add_argument("--clips", type=report.positive, default=12, help="to encode; default: %(default)s")
    parser.add_argument("--texts", type=report.positive, default=512, help="to encode; default: %(default)s")
    options = parser.parse_args()
    for name in options.encoders or ():
        with contextlib.suppress(MissingDependencyError):  # the table says so
            feature_encoder(name)  # a wrong name is said before the work
    texts, names = sentences(options.texts, options.seed), options.encoders or list(ENCODERS)
    with tempfile.TemporaryDirectory() as place:
        clips = films(Path(place), options.clips, options.seed)
        rates = [
            measure(names[number], texts, clips, options.threads, options.repeats)
            for number in report.turns(len(names), "features")
        ]
    where = report.machine(options.threads)
    note = f"{len(texts)} sentences; {len(clips)} films of 2 to 3 s, {WIDTH} x {HEIGHT}; {report.caption(where)}"
    show(rates, note)
    path = options.output or report.PLACE / "features.json"
    report.write_json(path, "features", where, {"encoders": [asdict(r) | {"speed": r.speed} for r in rates]})


if __name__ == "__main__":
    report.run(main)
