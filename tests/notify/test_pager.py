"""A page goes its ways: none waits for another, none for ever, and the caller for none."""

import stat
import threading
import time

import pytest

from holdfast.notify import pager as pagers
from holdfast.notify import ways
from holdfast.notify.pager import NotDelivered, WaysPager
from holdfast.notify.ways import FileWay, WebhookWay, read_pages
from holdfast.vocab.pages import Page, Stage
from tests.house.webhooks import a_target


def a_page(number=1, stage=Stage.ALERT):
    return Page(
        incident=f"incident-{number}",
        stage=stage,
        kind="bot.dead",
        account="demo",
        text="the trading loop stands still",
        wall_ns=7,
    )


@pytest.fixture
def target():
    with a_target() as one:
        yield one


@pytest.fixture
def lost():
    return []


@pytest.fixture
def paging(lost):
    """Makes pagers; closes them."""
    made = []

    def make(*all_ways, **changes):
        made.append(WaysPager(all_ways, lost=lambda way, page, why: lost.append((way, page, why)), **changes))
        return made[-1]

    yield make
    for one in made:
        one.close(0.0)


def test_a_page_is_a_line_in_a_private_file_and_a_post(tmp_path, target, paging, lost):
    path = tmp_path / "pages.jsonl"
    pager = paging(FileWay(path), WebhookWay(target.url, bearer="token-0123456789"))
    pager.page(a_page())
    pager.page(a_page(stage=Stage.OUTCOME))
    pager.close(5.0)
    assert [a_page(), a_page(stage=Stage.OUTCOME)] == read_pages(path)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert ["alert", "outcome"] == [page["stage"] for page in target.pages()]
    _, headers, _ = target.arrived[0]
    assert ("Bearer token-0123456789", "incident-1/alert") == (
        headers["Authorization"],
        headers["Idempotency-Key"],
    )
    assert [] == lost


def test_a_way_that_refuses_is_tried_again(target, paging, lost):
    target.refuse = 2
    pager = paging(WebhookWay(target.url))
    pager.page(a_page())
    pager.close(10.0)
    assert 1 == len(target.pages())
    assert [] == lost


def test_a_way_that_is_gone_holds_up_neither_the_caller_nor_the_others(tmp_path, paging, lost):
    """D27: the fence must not wait for a chat server."""
    path = tmp_path / "pages.jsonl"
    pager = paging(WebhookWay("http://127.0.0.1:9/hook/a-secret-path"), FileWay(path), try_s_max=0.6)
    began = time.monotonic()
    pager.page(a_page())
    assert time.monotonic() - began < 0.1
    pager.close(5.0)
    assert [a_page()] == read_pages(path)
    ((way, page, why),) = lost
    assert ("webhook", a_page()) == (way, page)
    assert "127.0.0.1" in why
    assert "a-secret-path" not in why, "the address often is the secret"


def test_a_flood_is_bounded_and_what_does_not_fit_is_said(paging, lost):
    """10,000 pages must not become 10,000 posts an hour later, nor fill the memory."""

    class Stuck:
        name = "stuck"

        def __init__(self):
            self.release = threading.Event()

        def deliver(self, page):
            self.release.wait(10)

    way = Stuck()
    pager = paging(way)
    for number in range(200):
        pager.page(a_page(number))
    assert 200 - pagers.QUEUE_MAX - 1 <= len(lost) <= 200 - pagers.QUEUE_MAX
    assert "64 pages wait" in lost[0][2]
    closing = threading.Thread(target=pager.close, args=(0.1,))
    closing.start()
    way.release.set()
    closing.join(10)
    assert not closing.is_alive()


def test_closing_waits_for_no_way_that_is_gone(paging, lost):
    pager = paging(WebhookWay("http://127.0.0.1:9/"))
    pager.page(a_page())
    began = time.monotonic()
    pager.close(0.5)
    assert time.monotonic() - began < 3.0
    assert 1 == len(lost)


def test_a_file_that_cannot_be_written_is_said_and_one_that_grows_is_put_aside(tmp_path, monkeypatch):
    with pytest.raises(NotDelivered, match="No such file"):
        FileWay(tmp_path / "nowhere" / "pages.jsonl").deliver(a_page())
    monkeypatch.setattr(ways, "FILE_BYTES_MAX", 100)
    path = tmp_path / "pages.jsonl"
    for number in range(2):
        FileWay(path).deliver(a_page(number))
    assert not path.exists()
    assert 2 == len(read_pages(tmp_path / "pages.jsonl.1"))


def test_a_torn_line_hides_no_other_page(tmp_path):
    path = tmp_path / "pages.jsonl"
    path.write_bytes(b'{"incident": "x"\n')
    FileWay(path).deliver(a_page())
    assert [a_page()] == read_pages(path)
    assert [] == read_pages(tmp_path / "none")


def test_a_redirect_is_not_followed(tmp_path):
    """A page must not go wherever a server says."""
    with a_target() as target:
        target.refuse = 1
        with pytest.raises(NotDelivered, match="HTTP 503"):
            WebhookWay(target.url).deliver(a_page())
