"""Identifiers.

A client order id is 128 bits: 64 bits of account tag and 63 bits of ``order_id``, which is the process's
epoch (23 bits) above a sequence (40 bits). Inside the core only the small ``order_id`` is used; the account
tag is constant for a process and joins at the venue's codec. An id is never used twice: the epoch grows by
one at every start, and the sequence within it.
"""

from __future__ import annotations

from typing import Final

from holdfast.vocab.invariant import invariant

SEQUENCE_BITS: Final = 40
EPOCH_MAX: Final = (1 << 23) - 1
SEQUENCE_MAX: Final = (1 << SEQUENCE_BITS) - 1
_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = frozenset(_ALPHABET)
_CLIENT_ID_DIGITS: Final = 25  # 36**25 > 2**128
CLIENT_ID_PREFIX: Final = "hf"


def order_id_of(*, epoch: int, sequence: int) -> int:
    """Pack (epoch, sequence) into one 63-bit order id."""
    # asked first here, so that a sound id costs no call
    if not 0 < epoch <= EPOCH_MAX:
        invariant(False, "the epoch fits its 23 bits", epoch=epoch)
    if not 0 < sequence <= SEQUENCE_MAX:
        invariant(False, "the sequence fits its 40 bits", sequence=sequence)
    return (epoch << SEQUENCE_BITS) | sequence


def epoch_of(order_id: int) -> int:
    """The start of the process that minted this id."""
    return order_id >> SEQUENCE_BITS


def client_id_text(*, account_tag: int, order_id: int) -> str:
    """Render the 128-bit client order id: ``hf`` and 25 base-36 digits, 27 characters.

    Fits Binance (≤ 36 of ``[.A-Z:/a-z0-9_-]``), Bybit (≤ 36), OKX (≤ 32, alphanumeric).
    """
    number = (account_tag << 64) | order_id
    digits = []
    for _ in range(_CLIENT_ID_DIGITS):
        number, digit = divmod(number, 36)
        digits.append(_ALPHABET[digit])
    return CLIENT_ID_PREFIX + "".join(reversed(digits))


def order_id_from_text(text: str, *, account_tag: int) -> int | None:
    """The order id behind a client id of this account; None for an order that is not ours."""
    if len(text) != len(CLIENT_ID_PREFIX) + _CLIENT_ID_DIGITS or not text.startswith(CLIENT_ID_PREFIX):
        return None
    digits = text[len(CLIENT_ID_PREFIX) :]
    if not _DIGITS.issuperset(digits):
        return None
    number = int(digits, 36)
    if number >> 64 != account_tag:
        return None
    return number & ((1 << 64) - 1)
