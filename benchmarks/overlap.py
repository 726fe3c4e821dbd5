"""How many dev and test utterances of a corpus nearly occur in train of another, also without what both contain.

    python -m benchmarks.overlap build/meld build/emorynlp

`sdt.corpus.overlap` leaves the latter out. Similarity is the cosine of TF-IDF vectors of character 3- and 4-grams in
words; utterances have at least five words.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer

from sdt.corpus.overlap import WORDS, overlap
from sdt.corpus.store import Corpus

THRESHOLDS = (0.9, 0.8, 0.7)


def near(held: Sequence[str], train: Sequence[str]) -> list[int]:
    """The number of held-out texts with a text of train at least as similar as each threshold."""
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit([*held, *train])
    highest = (vectorizer.transform(held) @ vectorizer.transform(train).T).max(axis=1).toarray().ravel()
    return [int(np.count_nonzero(highest >= threshold)) for threshold in THRESHOLDS]


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tested", metavar="TESTED", help="the corpus whose dev and test splits are looked up")
    parser.add_argument("other", metavar="OTHER", help="the corpus whose train split is searched")
    options = parser.parse_args()
    tested, other = Corpus.open(options.tested), Corpus.open(options.other)
    held = [
        utterance.text
        for split in ("dev", "test")
        for conversation in tested.split(split)
        for utterance in conversation.utterances
        if utterance.text and len(utterance.text.split()) >= WORDS
    ]
    left_out = overlap([tested, other], 1)
    texts = {
        (conversation.id, utterance.id): utterance.text
        for conversation in other.split("train")
        for utterance in conversation.utterances
        if utterance.text
    }
    table = Table("train utterances", "number", *(f"similar by {threshold}" for threshold in THRESHOLDS))
    for name, chosen in (("all", texts), ("without overlap", {k: t for k, t in texts.items() if k not in left_out})):
        table.add_row(name, f"{len(chosen):,}", *map(str, near(held, list(chosen.values()))))
    Console().print(f"{len(held):,} utterances of dev and test of {tested.name}, looked up in train of {other.name}:")
    Console().print(table)


if __name__ == "__main__":
    main()
