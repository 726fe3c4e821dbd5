"""Constructors of `Corpus` from arrays, data frames and folders, and its data frames; `construct` implements them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sdt.conversation import FIRST_SPEAKER

if TYPE_CHECKING:
    import pandas

    from sdt.corpus.store import Corpus


class Constructors:
    """The base class of `Corpus` with what needs the importers, which are imported when a method is called."""

    @classmethod
    def from_arrays(
        cls,
        labels: Sequence[str | None],
        features: Mapping[str, npt.ArrayLike],
        *,
        conversations: Sequence[str],
        speakers: Sequence[str] | None = None,
        text: Sequence[str | None] | None = None,
        splits: Sequence[str | None] | None = None,
        start: Sequence[float | None] | None = None,
        end: Sequence[float | None] | None = None,
        extra: Mapping[str, Sequence[Any]] | None = None,
        folder: str | Path | None = None,
        **options: object,
    ) -> Corpus:
        """Make a corpus of arrays with a value per utterance, in spoken order within each conversation.

        Args:
            labels: [N] the emotions; None for utterances without a label.
            features: Modality to a matrix [N, D]; a row of NaN means that the utterance lacks the modality.
            conversations: [N] the ids of the conversations.
            speakers: [N] the speakers; None for one speaker.
            text: [N] the texts; `text_encoder="minilm"` encodes them.
            splits: [N] `train`, `dev` or `test`; None holds out random shares of the conversations.
            start: [N] seconds from the beginning of the recording.
            end: [N] seconds from the beginning of the recording.
            extra: Name to [N] further values to keep, such as the session, for cross-validation.
            folder: A new folder for the corpus; None for a temporary one that is removed with the corpus.
            options: Options of `sdt.corpus.importers.ImportOptions`, such as `text_encoder`, `normalise` (`{"audio":
                "corpus"}`), `dev_share`, `seed`, `labels`, `name` and `licence`.

        Raises:
            InputError: The lengths differ, or a value or an option is invalid.

        Example:
            >>> labels = ["joy", "anger", "joy", "joy", "anger", "joy"]
            >>> audio = [[0.9], [-0.8], [0.7], [0.8], [-0.9], [0.6]]
            >>> corpus = Corpus.from_arrays(labels, {"audio": audio}, conversations=["a", "a", "b", "b", "c", "c"])
            >>> corpus.size, corpus.labels, {name: len(ids) for name, ids in corpus.splits.items()}
            (6, ('anger', 'joy'), {'train': 1, 'dev': 1, 'test': 1})
        """
        columns = {
            "conversation": conversations,
            "speaker": [FIRST_SPEAKER] * len(labels) if speakers is None else speakers,
            "text": text,
            "split": splits,
            "start": start,
            "end": end,
            **(extra or {}),
        }
        options = {"keep": tuple(extra or ()), **options}
        made: Corpus = _construct().from_arrays(labels, features, columns, folder, options)
        return made

    @classmethod
    def from_pandas(
        cls,
        frame: pandas.DataFrame,
        features: Mapping[str, npt.ArrayLike | Sequence[str]] | None = None,
        *,
        folder: str | Path | None = None,
        **options: object,
    ) -> Corpus:
        """Make a corpus of a data frame with a row per utterance.

        Args:
            frame: Columns as in a table of utterances: `conversation`, `speaker`, `label`, and optionally `utterance`,
                `order`, `split`, `text`, `start`, `end`, `media`; see docs/corpora.md.
            features: Modality to a matrix [N, D] in the order of the rows, or to the names of its columns.
            folder: See `from_arrays`.
            options: See `from_arrays`; `keep` names further columns to keep.

        Raises:
            InputError: A column is missing, or a value or an option is invalid; the message names the row.
        """
        made: Corpus = _construct().from_pandas(frame, features or {}, folder, options)
        return made

    @classmethod
    def from_folder(cls, folder: str | Path, *, output: str | Path | None = None, **options: object) -> Corpus:
        """Make a corpus of a folder: a corpus, a release such as MELD.Raw, or a table of utterances and its features.

        Args:
            folder: The folder. In a folder with a table of utterances (CSV, JSON Lines, Parquet), the other tables and
                matrices are modalities, named after their files.
            output: A new folder for the corpus; None for a temporary one that is removed with the corpus.
            options: See `from_arrays`; recordings are encoded with `audio_encoder` and `visual_encoder`.

        Raises:
            InputError: The folder does not exist or has no known files; or see `from_arrays`.
        """
        made: Corpus = _construct().from_folder(Path(folder), output, options)
        return made

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with a row per utterance, in the order of the features, with the columns of `from_pandas`.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        frame: pandas.DataFrame = _construct().to_pandas(self)
        return frame

    def features(self, modality: str) -> npt.NDArray[np.float32]:
        """The features of a modality as a matrix [N, D]; rows of NaN for utterances that lack it.

        Raises:
            InputError: The corpus has no such modality.
        """
        found: npt.NDArray[np.float32] = _construct().matrix(self, modality)
        return found


def _construct() -> Any:  # noqa: ANN401 - a module, which imports that of `Corpus`
    return importlib.import_module("sdt.corpus.construct")
