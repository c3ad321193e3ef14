"""Incidents: each is said once when it begins, once if it takes too long, and once when it is over."""

from __future__ import annotations

import time
from collections.abc import Iterable

from holdfast.ports.pager import Pager
from holdfast.vocab.pages import Page, Stage


class Incidents:
    """Turns states that are looked at again and again into pages. Pages of an earlier watchdog are not repeated."""

    def __init__(self, *, pager: Pager, account: str, earlier: Iterable[Page]) -> None:
        self._pager = pager
        self._account = account
        self._open: dict[str, str] = {}
        self._over = {page.incident for page in earlier if page.stage is Stage.OUTCOME}

    def is_over(self, incident: str) -> bool:
        """Whether somebody was told how it ended."""
        return incident in self._over

    def begin(self, kind: str, incident: str, text: str) -> None:
        """It begins, and is said."""
        self._open[kind] = incident
        self._page(Stage.ALERT, kind, incident, text)

    def stands(self, kind: str, text: str) -> None:
        """What has no name of its own stands: said once, however often it is found standing; named by when it began."""
        if kind not in self._open:
            self.begin(kind, f"{kind}-{time.time_ns() // 1_000_000}", text)

    def unresolved(self, kind: str, text: str) -> None:
        """It takes too long."""
        self._page(Stage.UNRESOLVED, kind, self._open[kind], text)

    def over(self, kind: str, text: str) -> None:
        """It is over, if it stood."""
        incident = self._open.pop(kind, "")
        if incident:
            self._over.add(incident)
            self._page(Stage.OUTCOME, kind, incident, text)

    def _page(self, stage: Stage, kind: str, incident: str, text: str) -> None:
        page = Page(
            incident=incident,
            stage=stage,
            kind=kind,
            account=self._account,
            text=text,
            wall_ns=time.time_ns(),
        )
        self._pager.page(page)
