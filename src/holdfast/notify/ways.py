"""Two ways for a page: a line in a file, and a POST to an address."""

from __future__ import annotations

import http.client
import os
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from holdfast.notify.pager import NotDelivered
from holdfast.vocab.pages import Page

FILE_BYTES_MAX: Final = 1 << 20
TIMEOUT_S: Final = 3.0


class FileWay:
    """JSON lines in a file of mode 0600; past a size it is put aside as ``.1``, once."""

    def __init__(self, path: Path) -> None:
        self.name = "file"
        self._path = path

    def deliver(self, page: Page) -> None:
        """Append the line, whole. Errors: NotDelivered."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                os.write(descriptor, msgspec.json.encode(page) + b"\n")
            finally:
                os.close(descriptor)
            if size > FILE_BYTES_MAX:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
        except OSError as error:
            raise NotDelivered(f"{self._path}: {error.strerror}") from None


def read_pages(path: Path) -> list[Page]:
    """The pages in the file of a ``FileWay``; a line that is none is passed over. None where there is no file."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    pages = []
    for line in lines:
        with suppress(msgspec.MsgspecError):  # a torn line, or somebody else's
            pages.append(msgspec.json.decode(line, type=Page))
    return pages


class WebhookWay:
    """A POST of the page as JSON. Any 2xx is "arrived"; redirects are not followed."""

    def __init__(self, url: str, *, bearer: str = "") -> None:
        self.name = "webhook"
        self._url = url
        self._bearer = bearer

    def deliver(self, page: Page) -> None:
        """Errors: NotDelivered, which names the host and nothing else of the address."""
        where = urlsplit(self._url)
        kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": f"{page.incident}/{page.stage.value}",
        }
        if self._bearer:
            headers["Authorization"] = f"Bearer {self._bearer}"
        target = (where.path or "/") + (f"?{where.query}" if where.query else "")
        connection = kind(where.netloc.rpartition("@")[2], timeout=TIMEOUT_S)
        try:
            connection.request("POST", target, body=msgspec.json.encode(page), headers=headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise NotDelivered(f"{where.hostname}: {type(error).__name__}") from None
        finally:
            connection.close()
        if status // 100 != 2:
            raise NotDelivered(f"{where.hostname}: HTTP {status}")
