"""What a planned failure answers with: the bodies that users of the real venue have received."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from holdfast.sim.server.faults import FaultSpec
from holdfast.sim.server.rest_trade import Message

JSON: Final = "application/json"
HTML: Final = "text/html"

_PAGES: Final = {
    404: b"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
    410: b"<html>\r\n<head><title>410 Gone</title></head>\r\n<body>\r\n<center><h1>410 Gone</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
}
_TIMEOUT: Final = (
    "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
)
_OVERLOADED: Final = "Server is currently overloaded with other requests. Please try again in a few minutes."


class Planned(Struct, frozen=True, kw_only=True):
    """An answer in place of the real one. ``retry_after_s`` 0: no such header."""

    http: int
    body: bytes
    content_type: str = JSON
    retry_after_s: int = 0
    code: int = 0
    msg: str = ""


def _told(http: int, code: int, msg: str, retry_after_s: int = 0) -> Planned:
    body = msgspec.json.encode(Message(code=code, msg=msg))
    return Planned(http=http, body=body, code=code, msg=msg, retry_after_s=retry_after_s)


def planned(spec: FaultSpec, *, path: str, method: str, address: str) -> Planned:
    """The answer of a fault that answers: retire, refuse, rate_limit, ack_error."""
    if spec.kind == "retire":
        http = spec.http or 404
        if spec.body == "html":
            return Planned(http=http, body=_PAGES.get(http, _PAGES[404]), content_type=HTML, code=-5000)
        if spec.body == "empty":
            return Planned(http=http, body=b"", content_type=HTML, code=-5000)
        return _told(http, -5000, f"Path {path}, Method {method} is invalid")
    if spec.kind == "rate_limit":
        http = spec.http or 429
        words = "Way too many requests; IP({0}) banned." if http == 418 else "Too many requests of IP({0})."
        msg = (
            spec.msg
            or f"{words.format(address)} Please use the websocket for live updates to avoid polling the API."
        )
        return _told(http, spec.code if spec.code is not None else -1003, msg, spec.retry_after_s)
    if spec.kind == "ack_error":
        return _told(spec.http or 503, spec.code if spec.code is not None else -1007, spec.msg or _TIMEOUT)
    if spec.http in {404, 410, 502, 403} and spec.code is None:
        return Planned(http=spec.http, body=_PAGES.get(spec.http, b"<html></html>"), content_type=HTML)
    return _told(spec.http or 503, spec.code if spec.code is not None else -1008, spec.msg or _OVERLOADED)
