"""The result of a pipeline: predictions as a sequence, by conversation, or as a data frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from sdt.conversation import Conversation, Prediction
from sdt.errors import MissingDependencyError
from sdt.formats.records import flatten, utterance_record
from sdt.formats.write import write_predictions
from sdt.media.problems import summarise_missing
from sdt.prediction.extraction import Missing

if TYPE_CHECKING:
    import pandas


class Predictions(Sequence[Prediction]):
    """One prediction per utterance, in the order of the conversations.

    Args:
        conversations: The conversations.
        predictions: One per utterance, in their order.
        notes: Notes for the user, one line each.
        missing: Modality to the utterances that lack it, see `Missing`.

    Example:
        >>> conversation = Conversation("chat", ())
        >>> len(Predictions([conversation], [], [], {}))
        0
    """

    def __init__(
        self,
        conversations: Sequence[Conversation],
        predictions: Sequence[Prediction],
        notes: Sequence[str],
        missing: Mapping[str, Missing],
    ) -> None:
        self.conversations = tuple(conversations)
        """The conversations."""
        self.missing = {modality: tuple(of.problems) for modality, of in missing.items()}
        """Modality to the utterances that lack it, with the reason: `dia1/3: no audio track`. The notes name modalities
        that were not used at all."""
        self.notes = [*notes, *missing_notes(missing)]
        """Notes for the user, one line each, about assumptions and about ignored or missing data."""
        self._predictions = tuple(predictions)

    def __len__(self) -> int:
        return len(self._predictions)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | Sequence[Prediction]:
        return self._predictions[index]

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self._predictions)

    def __repr__(self) -> str:
        return f"<Predictions of {len(self)} utterances in {len(self.conversations)} conversations>"

    @property
    def by_conversation(self) -> dict[str, list[Prediction]]:
        """Conversation id to its predictions, in order."""
        found: dict[str, list[Prediction]] = {conversation.id: [] for conversation in self.conversations}
        for prediction in self._predictions:
            found[prediction.conversation].append(prediction)
        return found

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with one row per utterance and the columns of the CSV format.

        They are `conversation`, `utterance`, `speaker`, `text`, `start`, `end`, `emotion`, `probability`, the fused
        probabilities (`p_joy`), those of each modality (`text_p_joy`) and the fusion weights (`text_weight`).

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingDependencyError("to_pandas() requires pandas; install it with: pip install pandas") from None
        utterances = [utterance for conversation in self.conversations for utterance in conversation.utterances]
        return pandas.DataFrame(
            [flatten(utterance_record(p, u)) for p, u in zip(self._predictions, utterances, strict=True)]
        )

    def write(self, path: str | Path, format: str | None = None) -> None:
        """Write a file in any format that holds predictions, by the suffix; see `sdt.formats.write_predictions`."""
        write_predictions(Path(path), self.conversations, self._predictions, format)


def missing_notes(missing: Mapping[str, Missing]) -> list[str]:
    """The number of utterances that lack a modality and the first reasons, one line per modality."""
    return [summarise_missing(modality, of.problems, of.utterances) for modality, of in missing.items() if of.problems]
