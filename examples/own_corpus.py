"""Your own corpus: a data frame of utterances and a matrix of audio features become a model that predicts new texts.

Replace the invented utterances and features with yours; the columns are those of a table of utterances, and labels may
have any names. Needs the extra `train` and pandas.
"""

import numpy as np
import pandas as pd

import sdt

SAYINGS = {
    "calm": ("How can I help you?", "One moment, please.", "I will look into it.", "Thank you for waiting."),
    "cross": ("I have been waiting for an hour!", "This is not acceptable.", "You promised!", "No, not again."),
    "glad": ("That is wonderful!", "You are so kind, thank you!", "Great, it works!", "I am so relieved."),
}
random = np.random.default_rng(0)
rows = []
for call in range(60):
    for turn in range(6):
        label = random.choice(list(SAYINGS))
        speaker = ("agent", "caller")[turn % 2]
        row = {
            "conversation": f"call-{call}",
            "speaker": speaker,
            "text": random.choice(SAYINGS[label]),
            "label": label,
        }
        rows.append(row)
frame = pd.DataFrame(rows)
loudness = frame.label.map({"calm": -1.0, "cross": 1.0, "glad": 0.3}).to_numpy()
audio = np.stack([loudness, np.abs(loudness)], axis=1) + random.normal(scale=0.7, size=(len(frame), 2))
audio[::10] = np.nan  # these utterances have no sound

# Without a column `split`, random shares of the conversations are dev and test.
corpus = sdt.Corpus.from_pandas(frame, {"audio": audio}, text_encoder="words:64", normalise={"audio": "corpus"})
print(corpus.labels, {split: len(ids) for split, ids in corpus.splits.items()}, corpus.notes)

settings = {"model.width": 32, "model.heads": 4, "training.learning_rate": 3e-3, "training.batch_conversations": 4}
# New texts have no sound, so some training conversations lose a modality.
run = sdt.train({**settings, "training.epochs": 12, "training.modality_dropout": 0.3}, corpus)
print(run, run.scores["test"]["fused"].classes["cross"], sep="\n")

for one in sdt.Pipeline(run.model)([("caller", "You promised! This is not acceptable."), ("agent", "Thank you!")]):
    print(f"{one.speaker}: {one.text} -> {one.emotion} ({one.probability:.0%})")
