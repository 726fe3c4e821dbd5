"""What came out of a pipeline: predictions in a sequence, by conversation, or as a data frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from sdt.conversation import Conversation, Prediction
from sdt.errors import MissingDependencyError
from sdt.formats.records import flat, record
from sdt.formats.writers import write_predictions
from sdt.media.problems import lacking
from sdt.prediction.extraction import Missing

if TYPE_CHECKING:
    import pandas


class Predictions(Sequence[Prediction]):
    """One prediction for each utterance, in the order of the conversations.

    Args:
        conversations: What was said.
        predictions: One for each utterance, in their order.
        notes: Notes for the user, one line each.
        missing: Modality to the utterances that lack it, see `Missing`.

    Example:
        >>> said = Conversation("chat", ())
        >>> len(Predictions([said], [], [], {}))
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
        """What was said."""
        self.missing = {modality: tuple(of.problems) for modality, of in missing.items()}
        """Modality to every utterance that lacks it and why: `dia1/3: no audio track`. A modality that was left out
        altogether is not here but in the notes."""
        self.notes = [*notes, *missing_notes(missing)]
        """Notes for the user, one line each: what was assumed, left out, or is missing."""
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
        """One row per utterance, with the columns of the CSV that `write` makes.

        They are `conversation`, `utterance`, `speaker`, `text`, `start`, `end`, `emotion`, `probability`, the fused
        probabilities (`p_joy`), each branch's (`text_p_joy`) and the weights (`text_weight`).

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingDependencyError("to_pandas() needs pandas; install it with: pip install pandas") from None
        said = [utterance for conversation in self.conversations for utterance in conversation.utterances]
        return pandas.DataFrame([flat(record(p, u)) for p, u in zip(self._predictions, said, strict=True)])

    def write(self, path: str | Path, format: str | None = None) -> None:
        """Write JSON Lines, JSON, CSV, WebVTT or SRT, by the file's suffix; see `sdt.formats.write_predictions`."""
        write_predictions(Path(path), self.conversations, self._predictions, format)


def missing_notes(missing: Mapping[str, Missing]) -> list[str]:
    """How many utterances lack a modality, and why, one line for each modality."""
    return [lacking(modality, of.problems, of.utterances) for modality, of in missing.items() if of.problems]
