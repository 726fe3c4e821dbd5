"""The false positive rate of the paired bootstrap over conversations, by the size of the test set.

Test sets are simulated: conversations of 2 to 19 utterances, four classes of different frequencies, and random effects
of conversations, common to both systems and separate. Both systems have the same expected accuracy, so every p below
0.05 is a false positive; the nominal rate is 5 %.

    python benchmarks/false_findings.py
    python benchmarks/false_findings.py --conversations 31,280 --sets 2000
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt

from sdt.evaluation.bootstrap import Resampling, resample, two_sided_p
from sdt.evaluation.counts import Counts
from sdt.evaluation.metrics import metrics

PRIOR = (0.5, 0.25, 0.15, 0.1)
ACCURACY = 0.5


def simulate(conversations: int, random: np.random.Generator) -> list[Counts]:
    """Simulate a test set and the predictions of two systems."""
    lengths = random.integers(2, 20, size=conversations)
    conversation = np.repeat(np.arange(conversations), lengths)
    size, classes = len(conversation), len(PRIOR)
    true = random.choice(classes, size=size, p=PRIOR)

    def of_conversation(deviation: float) -> npt.NDArray[np.float64]:
        return random.normal(0, deviation, size=conversations)[conversation]

    ease = of_conversation(0.15)
    counts = []
    for _ in range(2):
        right = random.random(size) < ACCURACY + ease + of_conversation(0.1)
        predicted = np.where(right, true, random.choice(classes, size=size, p=PRIOR))
        counts.append(Counts.of(true, predicted[None], conversation, (conversations, classes)))
    return counts


def main() -> None:
    """Run the simulation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", default="10,20,31,60,280", help="sizes of the test set, separated by commas")
    parser.add_argument("--sets", type=int, default=1000, help="number of test sets of each size")
    parser.add_argument("--draws", type=int, default=500, help="bootstrap samples of each test set")
    options = parser.parse_args()
    print(f"{'conversations':>13} " + " ".join(f"{measure:>12}" for measure in metrics()))
    for conversations in map(int, options.conversations.split(",")):
        random = np.random.default_rng(conversations)
        found = np.zeros(len(metrics()))
        for seed in range(options.sets):
            one, other = resample(simulate(conversations, random), Resampling(options.draws, seed))
            found += [(two_sided_p(other[:, c] - one[:, c], conversations) or 1) < 0.05 for c in range(len(metrics()))]
        print(f"{conversations:>13} " + " ".join(f"{100 * share:>10.1f} %" for share in found / options.sets))


if __name__ == "__main__":
    main()
