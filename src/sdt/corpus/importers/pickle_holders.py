"""Which of several published feature files each modality is taken from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sdt.corpus.importers.pickle_content import Content
from sdt.corpus.importers.pickle_layouts import DictionaryLayout
from sdt.errors import InputError, near_miss, quoted

ORDER = ("text", "audio", "visual")
"""The order of the modalities that the layouts have; others come after."""


def choose_holders(contents: Sequence[Content], take: Mapping[str, Path], notes: list[str]) -> dict[str, Content]:
    """Choose the file of each modality.

    A file of that modality alone wins, then one whose text is RoBERTa's, then the first.

    Args:
        contents: The files, as the user named them.
        take: Modality to the file that the user wants it from.
        notes: Receives a line for each file that is not chosen.

    Returns:
        Modality to file.

    Raises:
        InputError: A file in `take` is not among the files, or does not hold the modality.
    """
    found = {modality for content in contents for modality in content.features}
    holders: dict[str, Content] = {}
    for modality in sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)):
        ranked = [
            (-_rank(content, modality), place) for place, content in enumerate(contents) if modality in content.features
        ]
        holders[modality] = contents[min(ranked)[1]]
    for modality, path in take.items():
        holders[modality] = _taken(contents, modality, path)
    for modality, holder in holders.items():
        for other in contents:
            if modality in other.features and other is not holder:
                notes.append(
                    f"{modality}: from {holder.path} ({holder.encoders[modality]}), "
                    f"not from {other.path} ({other.encoders[modality]})"
                )
    return holders


def same_file(one: Path, two: Path) -> bool:
    """Whether two paths name the same place."""
    return one.resolve() == two.resolve()


def _rank(content: Content, modality: str) -> int:
    if isinstance(content.layout, DictionaryLayout):
        return 2
    return 1 if content.encoders[modality].startswith("roberta") else 0


def _taken(contents: Sequence[Content], modality: str, path: Path) -> Content:
    for content in contents:
        if same_file(content.path, path):
            if modality not in content.features:
                raise InputError(f"take: {path} holds no {quoted(modality)}{near_miss(modality, content.features)}")
            return content
    raise InputError(f"take: {modality} should come from {path}, which is not among the files to import")
