"""Getting a person."""

from __future__ import annotations

from typing import Protocol

from holdfast.vocab.pages import Page


class Pager(Protocol):
    """Promises: ``page`` returns at once, whatever the network does; a page that got nowhere is said in the log."""

    def page(self, page: Page) -> None:
        """Send it on its way."""
        ...
