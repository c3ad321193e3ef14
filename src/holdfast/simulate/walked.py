"""Which rows of the order table a simulation walked: also those that move nothing, which no fact tells of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.core.orders import lifecycle
from holdfast.vocab.orders import Did, OrderState


class Walked(dict[tuple[OrderState, Did], OrderState]):
    """The table itself, counting how often each row was asked for."""

    def __init__(self, table: dict[tuple[OrderState, Did], OrderState]) -> None:
        super().__init__(table)
        self._asked: list[
            tuple[OrderState, Did]
        ] = []  # counted at the end: the hash of a member is a Python call

    def get(self, key: tuple[OrderState, Did], default: OrderState | None = None) -> OrderState | None:  # type: ignore[override]
        self._asked.append(key)
        return super().get(key, default)

    def counted(self) -> dict[str, int]:
        """By ``state + what happened``; illegal pairs are not rows."""
        counts = Counter(self._asked)
        return {name_of(*key): count for key, count in sorted(counts.items(), key=_name) if key in self}


def _name(item: tuple[tuple[OrderState, Did], int]) -> str:
    return name_of(*item[0])


def name_of(state: OrderState, did: Did) -> str:
    """A row's name."""
    return f"{state.value} + {did.value}"


@contextmanager
def counting() -> Iterator[Walked]:
    """Count while this is open."""
    table = lifecycle.NEXT
    walked = Walked(table)
    setattr(lifecycle, "NEXT", walked)  # noqa: B010 - a constant to everybody else
    try:
        yield walked
    finally:
        setattr(lifecycle, "NEXT", table)  # noqa: B010 - as above
