"""What can be wrong with what an operator wrote down."""

from __future__ import annotations


class ConfigError(Exception):
    """A configuration, secrets or operators file cannot be used.

    ``problems``: one line each, naming file, place, what is wrong and what is expected. Never a secret.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))
