"""Assertions that stay on in production."""

from __future__ import annotations


class InvariantBroken(BaseException):
    """Our own code broke a promise. Trading must stop: nothing downstream can be trusted.

    A ``BaseException`` so that no stray handler eats it on its way to the process's exit. Only our own acts
    may break an invariant; what a venue, a feed or a person can cause is an event, never this.
    """

    def __init__(self, rule: str, **numbers: object) -> None:
        self.rule = rule
        self.numbers = numbers
        detail = ", ".join(f"{name}={value!r}" for name, value in numbers.items())
        super().__init__(f"{rule} ({detail})" if detail else rule)


def invariant(holds: bool, rule: str, **numbers: object) -> None:  # noqa: FBT001 - reads as a sentence
    """Break with :class:`InvariantBroken` unless ``holds``; ``rule`` states the promise positively."""
    if not holds:
        raise InvariantBroken(rule, **numbers)
