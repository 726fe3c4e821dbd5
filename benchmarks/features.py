"""Throughput of the feature encoders on generated clips: a drawn face that speaks synthetic syllables.

Every encoder runs in a separate process. The first round, which loads models, is a warm-up. The cache is not used.

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
"""Height, width and frame rate of the clips, as in MELD."""


@dataclass
class Rate:
    """Results of an encoder."""

    encoder: str
    width: int = 0
    utterances: int = 0
    media_seconds: float = 0.0
    """Total duration of the utterances; 0 for text encoders."""
    seconds: list[float] = field(default_factory=list)
    """Seconds for all utterances, by round."""
    problem: str = ""
    """The reason for missing results: a package is not installed."""

    @property
    def speed(self) -> list[float]:
        """Utterances per second, by round."""
        return [self.utterances / taken for taken in self.seconds]


class TimedEncoder:
    """An encoder and its utterances; created in the measured process."""

    def __init__(self, name: str, texts: Sequence[str], clips: Sequence[Path]) -> None:
        self.encoder = feature_encoder(name)
        if self.encoder.modality == "text":
            self.sources = [Source("c", Utterance(str(i), "speaker", text)) for i, text in enumerate(texts)]
        else:
            self.sources = [Source("c", Utterance(str(i), "speaker", ""), Clip(path)) for i, path in enumerate(clips)]

    def describe(self) -> tuple[int, int, bool]:
        """Return the width, the number of utterances, and whether the encoder reads media."""
        return self.encoder.width, len(self.sources), self.encoder.modality != "text"

    def encode(self) -> float:
        """Encode all utterances and return the seconds.

        Raises:
            RuntimeError: Features of an utterance are missing, so the time is not valid.
        """
        encoded = []
        taken = seconds(lambda: encoded.append(self.encoder.encode(self.sources)), choose_device("cpu"))
        if not encoded[0].present.all():
            raise RuntimeError(encoded[0].problems[0])
        return taken


def measure(name: str, texts: Sequence[str], clips: Sequence[tuple[Path, float]], threads: int, repeats: int) -> Rate:
    """Measure an encoder in a new process.

    Args:
        name: Name of the encoder.
        texts: Input of text encoders.
        clips: Input of the other encoders: files and their durations in seconds.
        threads: Threads of PyTorch.
        repeats: Number of measured rounds.

    Raises:
        InputError: The encoder is unknown.
    """
    rate = Rate(name)
    try:
        with Worker(threads, TimedEncoder, name, texts, [path for path, _ in clips]) as worker:
            rate.width, rate.utterances, media = worker.call("describe")
            rate.media_seconds = sum(length for _, length in clips) if media else 0.0
            rate.seconds = [worker.call("encode") for _ in range(repeats + 1)][1:]
    except MissingDependencyError as error:
        rate.problem = str(error)
    return rate


def generate_texts(count: int, seed: int) -> list[str]:
    """Generate texts of the built-in corpus."""
    texts = (u.text for scene in generate(seed, 3 + count // 5) for u in scene.conversation.utterances if u.text)
    return [text for text, _ in zip(texts, range(count), strict=False)]


def generate_clips(
    folder: Path, count: int, seed: int, height: int = HEIGHT, width: int = WIDTH
) -> list[tuple[Path, float]]:
    """Write clips of 2 to 3 seconds of a face whose mouth moves with its syllables; returns paths and durations.

    Raises:
        MissingDependencyError: PyAV or OpenCV is not installed.
    """
    # Imported here because clips need optional packages.
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
    """Print the results."""
    table = plain_table("encoder", "width", "utterances/s", "media seconds/s")
    for rate in rates:
        if rate.problem:
            table.add_row(rate.encoder, "", "not installed", "")
            continue
        media = [rate.media_seconds / taken for taken in rate.seconds]
        table.add_row(
            rate.encoder,
            f"{rate.width:,}",
            report.median_range(rate.speed, 1),
            report.median_range(media, 1) if rate.media_seconds else "",
        )
    console = report.console()
    console.print(table)
    console.print(f"median (min-max)\n{note}")


def main() -> None:
    """Run the benchmark."""
    parser = report.parser(__doc__, repeats=5)
    parser.add_argument(
        "--encoder", action="append", dest="encoders", metavar="NAME", help="default: all that need no network"
    )
    parser.add_argument("--clips", type=report.positive, default=12, help="number of clips; default: %(default)s")
    parser.add_argument("--texts", type=report.positive, default=512, help="number of texts; default: %(default)s")
    options = parser.parse_args()
    for name in options.encoders or ():
        with contextlib.suppress(MissingDependencyError):  # is reported in the table
            feature_encoder(name)  # rejects an unknown name before the measurements
    texts, names = generate_texts(options.texts, options.seed), options.encoders or list(ENCODERS)
    with tempfile.TemporaryDirectory() as place:
        clips = generate_clips(Path(place), options.clips, options.seed)
        rates = [
            measure(names[number], texts, clips, options.threads, options.repeats)
            for number in report.rounds(len(names), "features")
        ]
    where = report.machine(options.threads)
    note = f"{len(texts)} texts; {len(clips)} clips of 2 to 3 s, {WIDTH} x {HEIGHT}; {report.caption(where)}"
    show(rates, note)
    path = options.output or report.FOLDER / "features.json"
    report.write_json(path, "features", where, {"encoders": [asdict(r) | {"speed": r.speed} for r in rates]})


if __name__ == "__main__":
    report.run(main)
