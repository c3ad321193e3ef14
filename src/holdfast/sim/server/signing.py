"""Who sent a request, and whether it is fresh: HMAC-SHA256 over the parameters exactly as they were sent."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus

from holdfast.sim.model import Refused
from holdfast.sim.server.params import Params, missing

AHEAD_MS_MAX = 1_000
RECV_WINDOW_MS_DEFAULT = 5_000
RECV_WINDOW_MS_MAX = 60_000


def parse_texts(query: str, body: str) -> dict[str, str]:
    """Parameters of query and body; where both have one, the query's counts."""
    texts: dict[str, str] = {}
    for source in (body, query):
        if source:
            for part in source.split("&"):
                name, _, value = part.partition("=")
                if name:
                    texts[unquote_plus(name)] = unquote_plus(value)
    return texts


def signed_text(query: str, body: str) -> str:
    """What was signed: query and body one after the other, without the signature's own part."""
    return _without_signature(query) + _without_signature(body)


def signature_of(secret: str, text: str) -> str:
    """The signature that Binance expects."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def check_signature(secret: str, text: str, given: str) -> None:
    """Refused -1022 unless the signature is that of the text under the secret."""
    if not hmac.compare_digest(signature_of(secret, text).encode(), given.lower().encode()):
        raise Refused(-1022, "Signature for this request is not valid.")


def check_time(params: Params, *, venue_ms: int) -> None:
    """Refused -1021 for a request from the future or older than its window, -1131 for too wide a window."""
    stamp_ms = params.integer("timestamp")
    asked = params.maybe("recvWindow")
    window_ms = RECV_WINDOW_MS_DEFAULT
    if asked is not None:
        window_ms = _window_ms(asked)
    if stamp_ms >= venue_ms + AHEAD_MS_MAX:
        raise Refused(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if venue_ms - stamp_ms > window_ms:
        raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")


def websocket_text(params: Mapping[str, str]) -> str:
    """What a WebSocket API request signs: its parameters in alphabetical order, without the signature."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")


def signature_in(params: Params) -> str:
    """The signature parameter. Refused -1102 without one."""
    given = params.maybe("signature")
    if given is None:
        raise missing("signature")
    return given


def _window_ms(text: str) -> int:
    # A fraction of a millisecond is allowed; it is rounded up, never to the sender's loss.
    whole, _, part = text.partition(".")
    if not (whole.isascii() and whole.isdigit()) or (part and not (part.isascii() and part.isdigit())):
        raise Refused(-1102, "Mandatory parameter 'recvWindow' was not sent, was empty/null, or malformed.")
    window_ms = int(whole) + (1 if part.strip("0") else 0)
    if window_ms > RECV_WINDOW_MS_MAX:
        raise Refused(-1131, f"recvWindow must be less than {RECV_WINDOW_MS_MAX}")
    return window_ms


def _without_signature(text: str) -> str:
    if "signature=" not in text:
        return text
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))
