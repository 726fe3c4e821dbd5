"""From a recording to emotions, as a table and as subtitles.

    python examples/recording_to_emotions.py talk.mp4              transcribes first; needs the extra `speech`
    python examples/recording_to_emotions.py talk.mp4 talk.vtt     with your transcript
    python examples/recording_to_emotions.py                       a scene of the built-in puppets

Needs the extra `media`.
"""

import sys
import tempfile
from pathlib import Path

import sdt
from sdt.puppets.generate import generate
from sdt.puppets.write import write

with tempfile.TemporaryDirectory() as temporary:
    recording, transcript = (*map(Path, sys.argv[1:]), None, None)[:2]
    if recording is None:
        write(generate(conversations=3), Path(temporary) / "puppets")
        transcript = Path(temporary) / "puppets" / "scene0000.vtt"
        recording = next(path for path in transcript.parent.glob("scene0000.*") if path != transcript)

    pipeline = sdt.Pipeline.from_pretrained()
    predictions = pipeline(transcript, media=recording) if transcript else pipeline(recording)
    for one in predictions:
        voice = one.branches["audio"]
        heard = max(voice, key=voice.__getitem__) if voice else "no sound"
        print(f"{one.start:6.1f} s  {one.speaker}: {one.text}  {one.emotion} {one.probability:.0%} (voice: {heard})")
    for note in predictions.notes:
        print("note:", note)
    predictions.write(Path(temporary) / "emotions.vtt")
    print((Path(temporary) / "emotions.vtt").read_text(encoding="utf-8"))
