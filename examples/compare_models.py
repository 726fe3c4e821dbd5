"""Train SDT, SDT without distillation and a baseline with three seeds each, and compare them on the test set.

    python examples/compare_models.py build/puppets      a corpus folder; without one, invented features

Needs the extra `train`.
"""

import sys

import numpy as np

import sdt


def invented(conversations: int = 40, utterances: int = 8) -> sdt.Corpus:
    """A corpus whose two modalities each tell a part of the label."""
    random = np.random.default_rng(0)
    labels = random.integers(3, size=conversations * utterances)
    features = {
        name: random.normal(size=(3, width))[labels] + random.normal(scale=noise, size=(len(labels), width))
        for name, width, noise in (("text", 12, 1.5), ("audio", 6, 2.0))
    }
    return sdt.Corpus.from_arrays(
        [("calm", "cross", "glad")[label] for label in labels],
        features,
        conversations=[f"talk-{number // utterances}" for number in range(len(labels))],
        speakers=["AB"[number % 2] for number in range(len(labels))],
        dev_share=0.25,
    )


corpus = sdt.Corpus.open(sys.argv[1]) if len(sys.argv) > 1 else invented()
recipe = sdt.Recipe().with_settings(
    {
        "model.width": 32,
        "model.heads": 4,
        "training.learning_rate": 3e-3,
        "training.epochs": 4,
        "training.batch_conversations": 4,
    }
)
systems = {
    "SDT": recipe,
    "without distillation": recipe.with_settings({"objective.hard": 0.0, "objective.soft": 0.0}),
    "bc-LSTM": recipe.with_settings({"architecture": "bc_lstm", "bc_lstm.dense": 32}),
}
runs = {
    name: [sdt.train(system, corpus, settings={"seed": seed}, progress=False) for seed in range(3)]
    for name, system in systems.items()
}
for name, of_system in runs.items():
    scores = [run.scores["test"]["fused"].weighted_f1 for run in of_system]
    print(f"{name}: weighted F1 {100 * np.mean(scores):.2f} ± {100 * np.std(scores, ddof=1):.2f}")
for comparison in sdt.compare(*runs.values(), names=list(runs), draws=1000):
    print(comparison.sentence())

ensemble = sdt.evaluate(runs["SDT"], corpus)
print(f"ensemble of the three runs of SDT: {100 * ensemble.scores['fused'].weighted_f1:.2f}")
