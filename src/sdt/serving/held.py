"""How much JSON the service holds at a time, of all its clients together."""

from __future__ import annotations

from sdt.serving.settings import Settings


class Held:
    """Bytes of JSON that have arrived and are not yet read; whoever adds to them takes them away again."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.held_bytes
        self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether it is more than there may be."""
        return self.bytes > self._most
