"""The whole of it in one process: a real lease, a real latch, the real simulated venue, pages in a real file."""

import os
import threading
import time
from pathlib import Path

import pytest
from msgspec import structs

from holdfast.guard.latch import Latch
from holdfast.guard.lease import Lease, read_lease
from holdfast.notify.pager import WaysPager
from holdfast.notify.ways import FileWay, read_pages
from holdfast.ports.guard import NOTHING_YET, Progress
from holdfast.ports.last_resort import LastResortFailed
from holdfast.venues.binance.panic import PanicClient
from holdfast.vocab.pages import Stage
from holdfast.watchdog import access as accesses
from holdfast.watchdog.incidents import Incidents
from holdfast.watchdog.main import Watchdog, Watched, look_once
from holdfast.watchdog.orders import Policy
from holdfast.watchdog.verdict import Verdict
from tests.house.simulated import BUY
from tests.watchdog.conftest import eventually, some_orders

S = 1_000_000_000


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Desk:
    """A bot that renews while told to, and the watchdog beside it."""

    def __init__(self, directory):
        self.directory = directory
        self.latch = Latch(directory, "bot")
        self.latch.clear(self.latch.observe())
        self.lease = Lease(directory, "bot", by="test", now_wall_ns=0, now_mono_ns=now_ns())
        self.file = Path(directory) / "pages.jsonl"
        self.watched = Watched(
            key="bot",
            lease_path=self.lease.path,
            latch_path=self.latch.path,
            dead_after_ns=S // 2,
            stalled_after_ns=60 * S,
            venue_look_s=0.1,
            stop=(),
            orders=some_orders(),
        )
        self.stuck = None  # the progress that it tells; None: that of a bot that works
        self.said = []
        self.ending = threading.Event()
        self.renewing = threading.Event()
        self.renewing.set()
        self.threads = [threading.Thread(target=self._renew)]
        self.threads[0].start()
        time.sleep(0.1)  # it works before anybody looks
        self.pagers = []

    def _renew(self):
        while not self.ending.wait(0.02):
            progress = (
                self.stuck
                if self.stuck is not None
                else Progress(stepped_mono_ns=now_ns(), acked_mono_ns=now_ns())
            )
            if self.renewing.is_set() and self.lease.renew(now_ns(), progress) is not None:
                self.lease.reclaim(now_wall_ns=0, now_mono_ns=now_ns())

    def watch(self, venue, **changes):
        pager = WaysPager([FileWay(self.file)], lost=lambda *_: None)
        self.pagers.append(pager)
        watchdog = Watchdog(
            structs.replace(self.watched, **changes),
            venue=venue,
            incidents=Incidents(pager=pager, account="demo", earlier=read_pages(self.file)),
            say=lambda level, text: self.said.append((level, text)),
            ending=self.ending,
        )
        self.threads.append(threading.Thread(target=watchdog.run))
        self.threads[-1].start()
        return watchdog

    def pages(self, stage, kind="bot.dead"):
        return [page.text for page in read_pages(self.file) if (page.stage, page.kind) == (stage, kind)]

    def eventually(self, holds, what):
        eventually(holds, lambda: f"{what}: {self.said} {read_pages(self.file)}")

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        for pager in self.pagers:
            pager.close(5.0)
        self.lease.release()
        self.latch.close()


@pytest.fixture
def desk(guard):
    one = Desk(guard)
    yield one
    one.end()


def test_a_dead_bot_is_paged_fenced_and_cancelled_once(desk, venue):
    """Latch first, so that a bot that wakes sends nothing; then cancel until the venue says that nothing is open."""
    venue.order(BUY, "0.010", "30000")
    desk.watch(venue.client())
    time.sleep(0.7)
    assert [] == read_pages(desk.file), "it lives"
    desk.renewing.clear()
    desk.eventually(lambda: desk.pages(Stage.OUTCOME), "it is over")
    assert desk.latch.tripped()
    assert (0, 0) == venue.open_count()
    (alert,), (outcome,) = desk.pages(Stage.ALERT), desk.pages(Stage.OUTCOME)
    assert "has renewed nothing" in alert
    assert "fencing it; then: cancel" in alert
    assert outcome.startswith("cancelled: two lists")
    time.sleep(0.8)
    assert 2 == len(read_pages(desk.file)), "one alert, one outcome, however long it stays dead"


def test_a_second_death_is_another_incident(desk, venue):
    desk.watch(venue.client())
    for number in (1, 2):
        desk.renewing.clear()
        desk.eventually(lambda number=number: len(desk.pages(Stage.OUTCOME)) == number, "it is over")
        desk.latch.clear(desk.latch.observe())
        desk.renewing.set()
        desk.eventually(lambda: desk.said[-1][1] == "the bot is alive", "it is back")
    assert 2 == len({page.incident for page in read_pages(desk.file)})


def test_a_watchdog_that_is_started_again_does_not_page_what_is_over(desk, venue):
    """Restart=always must not ring the telephone every second."""
    desk.watch(venue.client())
    desk.renewing.clear()
    desk.eventually(lambda: desk.pages(Stage.OUTCOME), "it is over")
    desk.watch(venue.client())
    time.sleep(1.2)
    assert 2 == len(read_pages(desk.file))


def test_a_bot_that_dies_at_every_start_is_one_incident(desk, venue):
    """systemd tries again every five seconds; the telephone must not."""
    desk.stuck = NOTHING_YET
    time.sleep(0.1)
    desk.watch(venue.client(), stalled_after_ns=S)
    desk.eventually(lambda: desk.pages(Stage.OUTCOME), "it is over")
    for _ in range(2):
        desk.renewing.clear()
        time.sleep(0.6)
        desk.renewing.set()
        time.sleep(0.2)
    assert (1, 1) == (len(desk.pages(Stage.ALERT)), len(desk.pages(Stage.OUTCOME)))
    desk.stuck = None
    time.sleep(0.4)
    desk.renewing.clear()
    desk.eventually(lambda: len(desk.pages(Stage.OUTCOME)) == 2, "one that traded is another")


class Faulty(PanicClient):
    """A client with a mistake of ours in it."""

    def open_orders(self):
        raise RuntimeError("a mistake")


def test_a_fault_of_our_own_in_a_rescue_is_an_outcome_that_calls_for_a_person(desk, venue):
    """A thread that dies without a word would look like one that is at work."""
    desk.watch(Faulty(rest_url=venue.url, api_key="k", secret="s"))
    desk.eventually(lambda: desk.pages(Stage.ALERT, "venue.unreachable"), "its way is said to be shut")
    desk.renewing.clear()
    desk.eventually(lambda: desk.pages(Stage.OUTCOME), "it is over")
    (outcome,) = desk.pages(Stage.OUTCOME)
    assert "by a fault of ours (RuntimeError: a mistake): look at the venue" in outcome


def test_with_the_policy_page_the_venue_is_left_alone(desk, venue):
    venue.order(BUY, "0.010", "30000")
    desk.watch(None, orders=some_orders(policy=Policy.PAGE))
    desk.renewing.clear()
    desk.eventually(lambda: desk.pages(Stage.OUTCOME), "it is over")
    assert ["fenced; nothing was cancelled"] == desk.pages(Stage.OUTCOME)
    assert desk.latch.tripped()
    assert (1, 0) == venue.open_count()


@pytest.mark.parametrize("keep", [False, True])
def test_with_the_policy_flatten_it_gets_out_and_the_protective_orders_go_last(desk, venue, keep):
    venue.order(BUY, "0.400")
    venue.order(BUY, "0.010", "30000")
    venue.stop_order(venue.client(), reduces=True)
    orders = some_orders(policy=Policy.FLATTEN, keep_protective=keep)
    desk.watch(venue.client(order_window_ms=400), orders=orders)
    desk.renewing.clear()
    time.sleep(0.1)
    desk.lease.release()
    desk.eventually(lambda: desk.pages(Stage.OUTCOME), "it is over")
    (outcome,) = desk.pages(Stage.OUTCOME)
    assert outcome.startswith("flat: "), outcome
    assert {} == venue.amounts()
    assert (0, 0) == venue.open_count()
    assert 0 == read_lease(desk.lease.path).stamp_mono_ns, "let go: a person may start the bot"


def test_a_bot_that_wakes_up_in_the_middle_of_a_flatten_ends_it(desk, venue):
    """C19: never closes against a live bot."""
    venue.order(BUY, "0.400")
    venue.fault("refuse", method="POST", path="/fapi/v1/order", http=503, code=-1001)
    desk.watch(venue.client(order_window_ms=400), orders=some_orders(policy=Policy.FLATTEN))
    desk.renewing.clear()
    desk.eventually(lambda: venue.struck() >= 2, "it tries")
    desk.renewing.set()
    desk.eventually(lambda: desk.pages(Stage.OUTCOME), "it is over")
    (outcome,) = desk.pages(Stage.OUTCOME)
    assert "not flat: BTCUSDT 0.400" in outcome
    assert "signs of life" in outcome
    venue.heal()
    time.sleep(0.5)
    assert {"BTCUSDT"} == {*venue.amounts()}


def test_what_cannot_be_closed_or_cancelled_is_in_the_outcome(desk, venue):
    venue.order(BUY, "0.100")
    desk.watch(venue.client(), orders=some_orders(policy=Policy.FLATTEN, limits={}))
    desk.renewing.clear()
    desk.eventually(lambda: desk.pages(Stage.OUTCOME), "it is over")
    assert desk.pages(Stage.OUTCOME)[0].startswith("cancelled, and not flat: BTCUSDT 0.100")


def test_a_bot_that_is_armed_again_is_not_cancelled_behind(desk, venue):
    venue.order(BUY, "0.010", "30000")
    venue.fault("refuse", method="DELETE", path="*", http=503, code=-1001)
    desk.watch(venue.client(), orders=some_orders(escalate_after_s=0.1))
    desk.renewing.clear()
    desk.eventually(lambda: desk.pages(Stage.UNRESOLVED), "it takes too long")
    desk.renewing.set()
    desk.latch.clear(desk.latch.observe())
    desk.eventually(lambda: desk.pages(Stage.OUTCOME), "it is over")
    assert desk.pages(Stage.OUTCOME)[0].startswith("not everything is cancelled: 1 open: BTCUSDT order")
    venue.heal()
    time.sleep(0.3)
    assert (1, 0) == venue.open_count()


def test_protective_orders_that_stay_when_it_is_flat_are_named(desk, venue):
    venue.order(BUY, "0.100")
    venue.stop_order(venue.client(), reduces=True)
    venue.fault("refuse", method="DELETE", path="/fapi/v1/algoOpenOrders", http=503, code=-1001)
    orders = some_orders(policy=Policy.FLATTEN, keep_protective=True)
    desk.watch(venue.client(order_window_ms=400), orders=orders)
    desk.renewing.clear()
    desk.eventually(lambda: not venue.amounts(), "it is out")
    time.sleep(0.5)
    desk.latch.clear(desk.latch.observe())
    desk.eventually(lambda: desk.pages(Stage.OUTCOME), "it is over")
    assert desk.pages(Stage.OUTCOME)[0].startswith(
        "flat, and not everything is cancelled: 1 open: BTCUSDT cond"
    )


def test_a_watchdog_that_is_ended_in_the_middle_claims_nothing(desk, venue):
    """The next one goes on with the same incident."""
    venue.order(BUY, "0.010", "30000")
    venue.fault("refuse", method="DELETE", path="*", http=503, code=-1001)
    desk.watch(venue.client())
    desk.renewing.clear()
    desk.eventually(lambda: venue.struck() >= 1, "it tries")
    desk.ending.set()
    for thread in desk.threads:
        thread.join(10)
    assert [] == desk.pages(Stage.OUTCOME)
    assert 1 == len(desk.pages(Stage.ALERT))


def test_a_bot_that_renews_and_does_nothing_is_paged_and_left_alone(desk, venue):
    desk.watch(venue.client(), stalled_after_ns=S // 2)
    desk.stuck = Progress(stepped_mono_ns=now_ns())
    desk.eventually(lambda: desk.pages(Stage.ALERT, "bot.stalled"), "it is said")
    assert not desk.latch.tripped()
    desk.stuck = None
    desk.eventually(lambda: desk.pages(Stage.OUTCOME, "bot.stalled"), "and that it is over")
    assert 1 == len(desk.pages(Stage.ALERT, "bot.stalled"))


def spoil_lease(desk):
    desk.renewing.clear()
    os.truncate(desk.lease.path, 10)


def spoil_latch(desk):
    os.truncate(desk.latch.path, 10)


def hide_latch(desk):
    Path(desk.latch.path).unlink()
    Path(desk.latch.path).mkdir()


@pytest.mark.parametrize("spoil", [spoil_lease, spoil_latch, hide_latch])
def test_data_of_the_bot_that_cannot_be_read_is_paged(desk, venue, spoil):
    """A judge that sees nothing must not look like one that sees nothing wrong."""
    desk.watch(venue.client())
    time.sleep(0.4)
    whole = Path(desk.lease.path).read_bytes()
    spoil(desk)
    desk.eventually(lambda: desk.pages(Stage.ALERT, "bot.unreadable"), "it is said")
    assert "cannot be told" in desk.pages(Stage.ALERT, "bot.unreadable")[0]
    assert [] == desk.pages(Stage.ALERT), "not knowing is no death"
    if spoil is spoil_lease:
        Path(desk.lease.path).write_bytes(whole)
        desk.renewing.set()
        desk.eventually(lambda: desk.pages(Stage.OUTCOME, "bot.unreadable"), "and that it is over")


def test_a_watchdog_without_its_own_way_to_the_venue_says_so(desk, venue, monkeypatch):
    """Found at the death, it is too late."""
    monkeypatch.setattr(accesses, "AGAIN_S", 0.05)
    desk.watch(venue.client())
    time.sleep(0.3)
    venue.fault("refuse", path="/fapi/v1/openOrders", http=401, code=-2015)
    desk.eventually(lambda: desk.pages(Stage.ALERT, "venue.unreachable"), "it is said")
    assert "-2015" in desk.pages(Stage.ALERT, "venue.unreachable")[0]
    venue.heal()
    desk.eventually(lambda: desk.pages(Stage.OUTCOME, "venue.unreachable"), "and that it is over")
    assert 1 == len(desk.pages(Stage.ALERT, "venue.unreachable"))


def test_one_look_without_acting(desk):
    time.sleep(0.1)
    assert (Verdict.ALIVE, "") == look_once(desk.watched)
    desk.renewing.clear()
    time.sleep(0.6)
    verdict, why = look_once(desk.watched)
    assert Verdict.DEAD is verdict
    assert "ms ago" in why
    assert not desk.latch.tripped()


def test_a_panic_client_says_in_one_line_that_the_venue_did_not_answer(venue):
    client = venue.client(rest_url="http://127.0.0.1:9")
    with pytest.raises(LastResortFailed, match="/fapi/v1/openOrders"):
        client.open_orders()
    assert "sim-secret" not in repr(client)


def test_a_start_that_hangs_after_a_day_of_trading_is_an_incident_of_its_own(desk, venue):
    """What died before it traded is one incident until something trades; then the next one is paged again."""
    desk.stuck = NOTHING_YET
    time.sleep(0.1)
    desk.watch(venue.client(), stalled_after_ns=S)
    desk.eventually(lambda: len(desk.pages(Stage.OUTCOME)) == 1, "the first start died")
    desk.latch.clear(desk.latch.observe())
    desk.stuck = None
    time.sleep(0.6)  # it trades
    desk.stuck = NOTHING_YET
    desk.eventually(lambda: len(desk.pages(Stage.OUTCOME)) == 2, "the next one died")
