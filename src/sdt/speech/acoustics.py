"""The two networks of diarization, run by ONNX Runtime: who speaks in a window of ten seconds, and how a voice sounds.

- Segmentation: pyannote segmentation-3.0 (PyanNet; powerset cross entropy, arXiv 2310.13025). In a window of 10 s it
  tells up to three speakers apart, of whom at most two speak at the same time.
- Embedding: CAM++ (arXiv 2303.00332), trained on 200,000 speakers: a vector whose direction is the voice.

Their licences and how the files were made: `onnx/README.md`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.errors import MissingDependencyError
from sdt.packaged_weights import check_sha256
from sdt.speech.transcriber import RATE, Samples
from sdt.speech.weights import HERE, SPEECH_EXTRA

Array = npt.NDArray[np.float32]
Active = npt.NDArray[np.bool_]

WINDOW = 10.0
"""Seconds of a window of the segmentation."""
FRAME = 0.016875
"""Seconds between two frames of the segmentation."""
FRAME_LENGTH = 0.0619375
"""Seconds that a frame of the segmentation sees; its time is in the middle."""
LOCAL = 3
"""Speakers that the segmentation can tell apart in a window."""
MEL = 80
"""Mel bands of the embedding's input."""
HOP = 0.01
"""Seconds between two frames of the embedding's input."""
POWERSET = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]],
    dtype=bool,
)
"""[7 classes, 3 speakers] who speaks in each class of the segmentation."""
SHA256 = {
    "segmentation.onnx": "9b66284c48aa1bf8f977a3d82799c596bb0587489dd7c7c9a244e28340f0940d",
    "embedding.onnx": "80506fabccb42687ea6e3a3007cef24554b7589abcb0842dd239af9897bc6583",
}
"""The files that `onnx/README.md` describes."""


class Acoustics:
    """Both networks.

    Args:
        threads: The number of CPU threads.

    Raises:
        InputError: A file of weights is damaged.
        MissingDependencyError: ONNX Runtime or kaldi-native-fbank is not installed.
    """

    def __init__(self, *, threads: int) -> None:
        try:
            import kaldi_native_fbank
            import onnxruntime
        except ImportError as error:
            raise MissingDependencyError(f"telling speakers apart needs {error.name}; {SPEECH_EXTRA}") from None
        self._fbank = kaldi_native_fbank
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._segmentation, self._embedding = (
            onnxruntime.InferenceSession(_weights(HERE / name), options, providers=["CPUExecutionProvider"])
            for name in SHA256
        )

    def activity(self, samples: Samples) -> Active:
        """Who speaks in a window: [589 frames, 3 local speakers].

        Args:
            samples: [n] at 16 kHz, at most ten seconds; the rest of the window is silent.
        """
        size = round(WINDOW * RATE)
        window = np.zeros((1, 1, size), dtype=np.float32)
        window[0, 0, : len(samples)] = samples[:size]
        [logits] = self._segmentation.run(None, {"waveform": window})  # [1, frames, 7]
        active: Active = POWERSET[logits[0].argmax(-1)]
        return active

    def mel(self, samples: Samples) -> Array:
        """Log mel energies as Kaldi computes them: [frames, 80], a frame each 10 ms.

        Args:
            samples: [n] at 16 kHz, in [-1, 1].
        """
        options = self._fbank.FbankOptions()
        options.frame_opts.dither, options.frame_opts.samp_freq = 0.0, RATE
        options.mel_opts.num_bins = MEL
        fbank = self._fbank.OnlineFbank(options)
        fbank.accept_waveform(RATE, samples)
        fbank.input_finished()
        frames = [fbank.get_frame(number) for number in range(fbank.num_frames_ready)]
        return np.array(frames, dtype=np.float32).reshape(-1, MEL)

    def embedding(self, mel: Array) -> Array:
        """How a voice sounds: a unit vector [192].

        Args:
            mel: [frames, 80] of one voice, at least 20 frames; they need not be adjacent.
        """
        [found] = self._embedding.run(None, {"fbank": (mel - mel.mean(axis=0))[None]})
        unit: Array = found[0] / max(float(np.linalg.norm(found[0])), 1e-9)
        return unit


def _weights(path: Path) -> bytes:
    return check_sha256(str(path), path.read_bytes(), SHA256[path.name])
