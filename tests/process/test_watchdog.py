"""The trading process hangs, freezes or is gone: nothing of it leaves past its lease, and another process sees to the rest."""

import signal
import time

import pytest

from holdfast.app.errors import Exit
from tests.house.webhooks import a_target
from tests.process.conftest import FULL
from tests.process.processes import AS_SHIPPED, until, write_private
from tests.process.strategies import WRITES, counters

pytestmark = [pytest.mark.process, pytest.mark.alone]
LEASE_S = 1.0
WINDOW_S = 1.0
ACT_S_MAX = 5.0
ORDERS = ("place", "amend", "place_algo")
SECTION = """
[watchdog]
policy = "{policy}"
protective = "cancel"
dead_after = "2s"
stalled_after = "30s"
venue_look = "5s"
escalate_after = "30s"
key_file = "watchdog-keys.toml"
key_may = "trade"
webhook_file = "webhook.toml"
"""
EDITS = AS_SHIPPED | {
    'policy = "cancel"': 'policy = "trip"',  # so that what is cancelled is cancelled from outside
    'clock_offset_max = "2s"': 'clock_offset_max = "500ms"',
}


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@pytest.fixture
def target():
    with a_target() as one:
        yield one


@pytest.fixture
def watched(home, target):
    """Makes a venue, an armed bot and its watchdog, which posts to the target."""

    def make(*, policy="cancel", strategy="Hanger", **params):
        sim = home.sim()
        if strategy == "Hanger":
            params |= {"signal": str(home.path / "bot" / "signal"), "flag": str(home.path / "bot" / "flag")}
        bot = home.bot(
            sim,
            strategy=strategy,
            params=params,
            edits=EDITS,
            extra=SECTION.format(policy=policy),
        )
        write_private(bot.home / "webhook.toml", f'url = "{target.url}"\n')
        bot.start()
        bot.arm()
        return sim, bot, home.watchdog(bot)

    return make


def flowing(bot, count=40):
    written = counters(bot.signal)
    target = written[WRITES] + count
    until(lambda: written[WRITES] >= target, "orders flow", bot.tell, pause_s=0.001)


def hang(bot):
    flag = bot.home / "flag"
    flag.touch()
    until(flag.with_suffix(".hanging").exists, "its strategy hangs", bot.log, pause_s=0.001)


def freeze(bot):
    bot.process.send_signal(signal.SIGSTOP)


def kill(bot):
    bot.kill()


def open_count(sim):
    truth = sim.control("GET", "/truth?requests=0")
    return len(truth["open_orders"]) + len(truth["open_algo_orders"])


def taken_after(sim, at_ns):
    """Orders that the venue took after a moment, by anybody."""
    return [one for one in sim.requests(*ORDERS) if one["accepted"] and one["boot_ns"] > at_ns]


@pytest.mark.parametrize("death", [hang, freeze, kill], ids=["hung", "frozen", "killed"])
def test_nothing_leaves_past_the_lease_and_the_watchdog_cancels_and_pages_once(
    watched, target, figure, size, death
):
    """D4, G3, G5: no order after a second, cancels and one alert within five, whatever became of the process."""
    sim, bot, watchdog = watched()
    flowing(bot)
    died_ns, died_s = now_ns(), time.monotonic()
    death(bot)

    cancelled_s = until(
        lambda: watchdog.pages("alert") != [] and open_count(sim) == 0,
        "everything is cancelled",
        lambda: f"{watchdog.log()}\n{sim.truth()['open_orders'][:3]}",
        pause_s=0.02,
    )
    alert_s = target.arrived[0][0] - died_s if target.arrived else until(target.pages, "it is posted")
    until(lambda: target.pages("outcome"), "the outcome is posted", watchdog.log)
    last_s = max([(one["boot_ns"] - died_ns) / 1e9 for one in taken_after(sim, died_ns)], default=0.0)
    figure(
        f"last order taken {last_s:.2f} s, alert {alert_s:.2f} s, cancelled {cancelled_s:.2f} s after it stopped; "
        f"outcome after {time.monotonic() - died_s:.2f} s"
    )
    assert [] == taken_after(sim, died_ns + int((LEASE_S + WINDOW_S) * 1e9))
    assert last_s <= LEASE_S
    assert alert_s <= ACT_S_MAX
    assert cancelled_s <= ACT_S_MAX
    assert target.pages("outcome")[0]["text"].startswith("cancelled: two lists of the venue agree")
    time.sleep(size(1.0, 10.0))
    assert ["alert", "outcome"] == [page["stage"] for page in target.pages()]
    assert target.pages() == watchdog.pages()
    assert 0 == open_count(sim)
    bot.kill()


def test_a_bot_that_wakes_up_after_the_watchdog_acted_sends_nothing_until_a_person_resumes(
    watched, target, figure, size
):
    """No duel: who was fenced does not open again what was closed for it."""
    sim, bot, watchdog = watched(policy="flatten", trade=True)
    until(lambda: sim.position_lots() != 0, "a position", bot.tell)
    flowing(bot)
    freeze(bot)
    until(lambda: watchdog.pages("outcome"), "the watchdog acted", watchdog.log)
    assert "flat: every exit final" in watchdog.pages("outcome")[0]["text"], watchdog.pages()
    assert (0, 0) == (sim.position_lots(), open_count(sim))

    woken_ns = now_ns()
    bot.process.send_signal(signal.SIGCONT)
    until(lambda: bot.halted_by("lost_lease", "halt"), "it comes back halted", bot.tell)
    time.sleep(size(2.0, 10.0))
    assert [] == taken_after(sim, woken_ns)
    assert (0, 0) == (sim.position_lots(), open_count(sim))
    bot.tell_to("arm")
    assert bot.halted_by("lost_lease", "halt"), "arming alone does not let it trade again"
    figure(f"holds after it woke: {[hold['cause'] for hold in bot.holds()]}")
    assert ["alert", "outcome"] == [page["stage"] for page in target.pages()]
    bot.kill()


@pytest.mark.parametrize("death", [kill, freeze] if FULL else [kill], ids=lambda one: one.__name__)
def test_with_the_policy_flatten_an_open_position_is_closed_and_never_flipped(watched, target, figure, death):
    """C16, C17, C19: reduce-only, one in flight, flat by two reads, with the venue refusing at first."""
    sim, bot, watchdog = watched(policy="flatten", strategy="Holder", lots=350)
    until(lambda: sim.position_lots() == 350, "a position", bot.tell)
    seq = sim.truth()["requests_total"]
    sim.fault("refuse", method="POST", path="/fapi/v1/order", http=503, code=-1001, count=1)
    sim.fault("ack_reset", method="POST", path="/fapi/v1/order", count=1)
    died_s = time.monotonic()
    death(bot)
    until(lambda: target.pages("outcome"), "the watchdog acted", watchdog.log, timeout_s=40)
    text = target.pages("outcome")[0]["text"]
    exits = sim.requests("place", since_seq=seq)
    figure(f"flat {time.monotonic() - died_s:.1f} s after it stopped, by {len(exits)} exits: {text}")
    assert text.startswith("flat: "), text
    assert 0 == sim.position_lots()
    assert all(one["reduce_only"] and one["side"] == "SELL" for one in exits)
    walked = 0
    for trade in sim.truth()["trades"]:
        walked += trade["qty_lots"] if trade["side"] == "BUY" else -trade["qty_lots"]
        assert walked >= 0, "never past zero"
    bot.kill()


def test_a_venue_that_refuses_the_first_cancels_is_asked_until_nothing_is_open(watched, target, figure):
    """C14, G5: a cancel is done when the venue's own list says so; and no page that is refused holds it up."""
    sim, bot, watchdog = watched(every_ms=600_000)  # one burst that rests
    until(lambda: open_count(sim) == 40, "orders rest", bot.tell)
    died_s = time.monotonic()
    bot.kill()
    assert open_count(sim) > 0
    sim.fault("refuse", method="DELETE", path="/fapi/v1/*", http=503, code=-1001, count=3)
    sim.fault("reset", method="GET", path="/fapi/v1/openOrders", count=1)
    target.refuse, target.slow_s = 2, 0.2
    cancelled_s = until(lambda: open_count(sim) == 0, "everything is cancelled", watchdog.log)
    until(lambda: target.pages("outcome"), "the outcome is posted", watchdog.log)
    alert_s = target.arrived[0][0] - died_s
    figure(
        f"cancelled {cancelled_s:.1f} s after the kill, three cancels and a list refused; "
        f"alert {alert_s:.1f} s after it, refused twice"
    )
    assert alert_s <= ACT_S_MAX
    assert target.pages("outcome")[0]["text"].startswith("cancelled: ")
    assert 1 == len(target.pages("alert"))
    assert "-1001" in watchdog.log()


def test_a_second_watchdog_cannot_start_and_a_clean_end_pages_nobody(home, watched, target):
    """Two would page twice and close twice; and a watchdog that cries wolf is switched off."""
    _, bot, first = watched(strategy="Sleeper")
    second = home.watchdog(bot)
    assert Exit.LEASE_HELD == second.process.wait(20)
    assert f"a watchdog of this account runs already, as process {first.process.pid}" in second.log()
    code, said = bot.cli("watchdog", "--once")
    assert (0, "the bot is alive\n") == (code, said)

    assert 0 == bot.stop(), bot.log()
    time.sleep(3.0)
    code, said = bot.cli("watchdog", "--once")
    assert (Exit.NOT_RUNNING, "the bot is ended\n") == (code, said)

    # nor does a start that comes to nothing, the venue being gone
    bot.sim.close()
    bot.spawn()
    assert Exit.VENUE_UNUSABLE == bot.wait(60), bot.log()
    time.sleep(3.0)
    assert [] == [page for page in first.pages() if page["kind"] == "bot.dead"]
    assert first.process.poll() is None
