"""Curriculum: training begins with conversations whose speakers rarely change their emotion.

The difficulty of a conversation is its share of emotion shifts: of the labelled utterances whose speaker's previous
utterance is labelled, the share with another label; 0 without such utterances. With `shifts(E)`, epoch e trains on the
easiest

    min(1, c_0 + (1 - c_0) (e - 1) / (E - 1)),    c_0 = 0.2

of the conversations, so on all from epoch E on; `shifts` is `shifts(E)` with a third of `training.epochs`. Ties are in
the order of the corpus, and conversations without labels come last. Within an epoch the order is random as without a
curriculum, so a run has the same batches from epoch E on. After the conversation-level curriculum of Yang et al. 2022
(arXiv 2112.11718), whose difficulty also counts the speakers and whose share grows in steps; the linear growth is that
of Platanios et al. 2019 (arXiv 1903.09848).

Shapes: N utterances, K conversations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sdt.batch import Batch
from sdt.conversation import UNLABELLED, Conversation
from sdt.corpus.batches import corpus_batch
from sdt.corpus.selection import select
from sdt.corpus.store import Corpus
from sdt.models.emotion_shift import emotion_shifts
from sdt.training.settings import Training, parse_curriculum

FIRST_SHARE = 0.2
"""c_0, the share of the conversations in the first epoch."""


class Curriculum:
    """The training conversations of each epoch.

    Args:
        training: The settings.
        corpus: The corpus.
        train: K training conversations.
    """

    def __init__(self, training: Training, corpus: Corpus, train: Sequence[Conversation]) -> None:
        self._train = train
        self._epochs = parse_curriculum(training.curriculum, training.epochs)
        if self._epochs:
            labels = corpus_batch(corpus, train, modalities=(), labels=corpus.labels, speakers=corpus.speakers)
            self._order = np.argsort(difficulty(labels), kind="stable")  # [K]

    def conversations(self, epoch: int) -> Sequence[Conversation]:
        """The training conversations of an epoch, in the order of the corpus.

        Args:
            epoch: Number of the epoch, from 1.
        """
        if epoch >= self._epochs:
            return self._train
        share = FIRST_SHARE + (1 - FIRST_SHARE) * (epoch - 1) / (self._epochs - 1)
        return select(self._train, np.sort(self._order[: math.ceil(share * len(self._train))]).tolist())


def difficulty(batch: Batch) -> npt.NDArray[np.float64]:
    """Compute the share of emotion shifts of each conversation, [K]; infinite without labels.

    Args:
        batch: N utterances of K conversations, on the CPU.
    """
    valid, shifted = (x.numpy() for x in emotion_shifts(batch))
    of = np.repeat(np.arange(len(batch.lengths)), batch.lengths.numpy())  # [N]; the conversation
    labelled = batch.label.numpy() != UNLABELLED
    pairs, shifts, labels = (np.bincount(of, x, minlength=len(batch.lengths)) for x in (valid, shifted, labelled))
    return np.where(labels > 0, shifts / np.maximum(pairs, 1), np.inf)
