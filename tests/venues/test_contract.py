"""The look at a venue's contract: each way in which a venue, a key or an account can have changed is found by name."""

import asyncio
import time
import types
import typing

import msgspec
import pytest

from holdfast.ports.probe import Canary, Expected
from holdfast.sim.config import LimitsConfig, SimConfig
from holdfast.venues.anyccxt.client import AnyCcxtConfig, AnyCcxtVenue
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.contract import CONTRACT
from holdfast.venues.transport.hardened import Credentials, Endpoints
from holdfast.venues.transport.shapes import differences
from holdfast.vocab.outcome import Withheld
from holdfast.vocab.probe import Verdict
from tests.house.simulated import served
from tests.process.conftest import FULL
from tests.venues.fake_binance import fake_binance, reply
from tests.venues.house import config, loaded, spec

pytestmark = pytest.mark.process
EXPECTED = Expected(account_uid="1000001", leverage=20, clock_offset_ms_max=500)
CREDENTIALS = Credentials(api_key="sim-key", secret="sim-secret")
COUNTDOWN_MS = 600


# --- the contract and the adapter -----------------------------------------------------------------------------------


def required(kind, at=""):
    """Places of a record that have no default, with those of its lists."""
    if typing.get_origin(kind) is list:
        return required(typing.get_args(kind)[0], f"{at}[]")
    if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        return {at}
    found = set()
    for one in msgspec.structs.fields(kind):
        if one.required:
            found |= required(one.type, f"{at}.{one.encode_name}" if at else one.encode_name)
    return found


@pytest.mark.parametrize("clause", [one for one in CONTRACT if one.reads], ids=lambda clause: clause.path)
def test_whatever_the_adapter_cannot_do_without_stands_in_the_contract(clause):
    """A field that is read and not promised would vanish without a word of the probe."""
    assert set() == required(clause.reads) - set(clause.promise)


def test_the_types_of_the_contract_are_those_that_the_adapter_reads():
    words = {str: {"text", "decimal"}, int: {"whole"}, bool: {"flag"}}
    for clause in CONTRACT:
        for place, kind in typed(clause.reads):
            if place in clause.promise:
                options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
                allowed = set().union(*(words.get(one, set()) for one in options))
                assert set(clause.promise[place].split("|")) <= allowed, (clause.path, place)


def typed(kind, at=""):
    if typing.get_origin(kind) is list:
        yield from typed(typing.get_args(kind)[0], f"{at}[]")
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for one in msgspec.structs.fields(kind):
            yield from typed(one.type, f"{at}.{one.encode_name}" if at else one.encode_name)
    elif kind is not None:
        yield at, kind


SHAPES = [
    ('{"a": "1.5", "rows": [{"b": 1}], "more": null}', ()),
    ('{"a": "1.5", "rows": []}', ()),
    ('{"a": "x", "rows": []}', ("a is text (x), expected decimal",)),
    ('{"a": 1.5, "rows": []}', ("a is fraction (1.5), expected decimal",)),
    ('{"rows": [{"b": 1}, {}]}', ("a is missing", "rows[].b is missing")),
    ('{"a": "1", "rows": {}}', ("rows is no list",)),
    ('{"a": "1", "rows": [{"b": true}]}', ("rows[].b is flag (True), expected whole",)),
    ("[1]", ("the answer is no object",)),
]


@pytest.mark.parametrize(("body", "expected"), SHAPES)
def test_what_differs_is_named_by_its_place(body, expected):
    assert expected == differences({"a": "decimal", "rows[].b": "whole"}, body)


def test_what_is_no_json_is_said_to_be_so():
    assert differences({"a": "text"}, "<html>")[0].startswith("not JSON")
    assert differences({"a": "text"}, "[" * 100_000)[0].startswith("not JSON")


# --- against the simulated venue ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sim():
    with served(SimConfig(limits=LimitsConfig(weight_per_minute=6_000_000))) as venue:
        yield venue


@pytest.fixture(scope="module")
def bench(sim):
    """One loaded client for all: (runs a coroutine function on it, its instruments)."""
    with asyncio.Runner() as runner:

        async def load():
            venue = BinanceVenue(config(sim.url, credentials=CREDENTIALS))
            return venue, await venue.load()

        venue, specs = runner.run(load())
        try:
            yield lambda work: runner.run(work(venue, specs))
        finally:
            runner.run(venue.close())


@pytest.fixture(autouse=True)
def healed(request):
    yield
    if "sim" in request.fixturenames:
        sim = request.getfixturevalue("sim")
        sim.heal()
        sim.control("DELETE", "/reshape")
        sim.control("POST", "/account", UNHARMED)


UNHARMED = {
    "can_withdraw": False,
    "can_trade": True,
    "ip_restricted": True,
    "dual_side": False,
    "multi_assets": False,
    "deadman_fires": True,
    "uid": "1000001",
}


def probed(bench, expected=EXPECTED):
    checks = bench(lambda venue, _: venue.probe(expected))
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


def failing(checks):
    return {name for name, check in checks.items() if check.verdict is Verdict.FAIL}


def test_a_venue_that_keeps_its_word_is_found_to(bench):
    checks = probed(bench)
    assert {Verdict.OK} == {check.verdict for check in checks.values()}, checks
    assert {clause.path for clause in CONTRACT} <= checks.keys()


BREAKS = [
    # what is done at the control port, what fails, what its line says
    (("/account", {"can_withdraw": True}), "withdrawals", "may withdraw"),
    (("/account", {"ip_restricted": False}), "addresses", "from anywhere"),
    (("/account", {"can_trade": False}), "trading", "may not trade"),
    (("/account", {"uid": "42"}), "account", "the key opens 42, the configuration pins 1000001"),
    (("/account", {"dual_side": True}), "position mode", "hedge"),
    (("/account", {"multi_assets": True}), "margin mode", "multi-assets"),
    (("/faults", {"kind": "retire", "path": "/sapi/v1/account/apiRestrictions"}), "key", "does not tell"),
    (
        ("/faults", {"kind": "retire", "path": "/fapi/v1/order", "method": "GET"}),
        "GET /fapi/v1/order",
        "not told to be absent",
    ),
    (
        ("/faults", {"kind": "retire", "path": "/fapi/v1/order", "method": "DELETE"}),
        "DELETE /fapi/v1/order",
        "absent",
    ),
    (("/faults", {"kind": "retire", "path": "/fapi/v1/time"}), "clock", "does not tell the time"),
]


@pytest.mark.parametrize(("act", "name", "said"), BREAKS, ids=lambda value: str(value)[:60])
def test_what_somebody_changed_is_found_by_name(sim, bench, act, name, said):
    sim.control("POST", *act)
    checks = probed(bench)
    assert name in failing(checks)
    assert said in checks[name].found


@pytest.mark.parametrize("how", ["retired", "missing", "null"] if FULL else ["retired", "missing"])
def test_each_answer_that_is_gone_or_changed_is_found_by_its_path(sim, bench, how):
    """Seed 000: one retired endpoint, and a bot that asked on softly for days. Every list has a row to look at."""
    with_rows(sim)
    for clause in CONTRACT:
        method, path = clause.path.split()
        field = next(iter(clause.promise)).rpartition(".")[2]
        if how == "retired":
            fault = sim.fault("retire", path=path, method=method)
        else:
            sim.control("POST", "/reshape", {"method": method, "path": path, "field": field, "to": how})
        checks = probed(bench)
        assert clause.path in failing(checks), (clause.path, checks[clause.path])
        if how == "retired":
            sim.control("DELETE", f"/faults?fault_id={fault}")
        else:
            assert field in checks[clause.path].found
            sim.control("DELETE", "/reshape")
    assert set() == failing(probed(bench))


def with_rows(sim):
    """A position, executions and a resting order of either kind."""
    if sim.open_count() == (0, 0):
        sim.order("BUY", "0.010")
        sim.order("BUY", "0.010", "30000")
        sim.stop_order(sim.client(), reduces=False)


def test_a_venue_that_is_busy_for_a_moment_is_asked_again(sim, bench):
    """A 503 is no change of the contract: trading must not stop for it."""
    sim.fault("refuse", path="/fapi/v3/balance", http=503, code=-1001, msg="busy", count=1)
    assert set() == failing(probed(bench))
    assert 1 == sim.struck()


def test_a_question_for_nobodys_order_is_asked_again_too(sim, bench):
    sim.fault("refuse", path="/fapi/v1/order", method="GET", http=503, code=-1001, msg="busy", count=1)
    assert set() == failing(probed(bench))
    assert 1 == sim.struck()


UNTOLD = [
    ("/sapi/v1/account/apiRestrictions", "enableWithdrawals", "withdrawals", Verdict.FAIL),
    ("/sapi/v1/account/apiRestrictions", "ipRestrict", "addresses", Verdict.FAIL),
    ("/sapi/v1/account/apiRestrictions", "enableFutures", "trading", Verdict.FAIL),
    ("/sapi/v1/account/apiRestrictions", "permitsUniversalTransfer", "transfers", Verdict.WARN),
    ("/fapi/v1/symbolConfig", "leverage", "leverage BTCUSDT", Verdict.FAIL),
    ("/fapi/v1/leverageBracket", "initialLeverage", "leverage BTCUSDT", Verdict.FAIL),
]


@pytest.mark.parametrize("to", ["missing", "null", "text"])
@pytest.mark.parametrize(("path", "field", "name", "verdict"), UNTOLD, ids=str)
def test_what_is_not_told_is_said_to_be_so_and_passes_for_nothing_good(
    sim, bench, path, field, name, verdict, to
):
    """No definite word about a right or a leverage that the venue left out; at a start neither."""
    sim.control("POST", "/reshape", {"path": path, "field": field, "to": to})
    check = probed(bench, msgspec.structs.replace(EXPECTED, starting=True))[name]
    assert verdict is check.verdict
    assert "not told" in check.found or "does not tell" in check.found


def test_a_leverage_that_somebody_changed_and_one_that_the_venue_does_not_allow(bench):
    five = msgspec.structs.replace(EXPECTED, leverage=5)
    assert Verdict.WARN is probed(bench, five)["leverage BTCUSDT"].verdict
    starting = msgspec.structs.replace(five, starting=True)
    assert Verdict.OK is probed(bench, starting)["leverage BTCUSDT"].verdict
    too_high = msgspec.structs.replace(EXPECTED, leverage=126)
    assert {"leverage BTCUSDT", "leverage ETHUSDT"} == failing(probed(bench, too_high))


def test_a_practice_venue_is_not_asked_for_a_keys_rights(sim, bench):
    """It has no such address: a bot that practises there must be able to."""
    sim.fault("retire", path="/sapi/*")
    checks = probed(bench, msgspec.structs.replace(EXPECTED, rights_told=False))
    assert set() == failing(checks)
    assert Verdict.WARN is checks["key"].verdict
    assert 0 == sim.struck()


def test_a_clock_far_from_here_is_said_and_is_no_reason_not_to_trade(sim, bench):
    sim.control("POST", "/clock", {"step_ms": 3_000})
    try:
        checks = probed(bench)
    finally:
        sim.control("POST", "/clock", {"step_ms": 0, "absolute": True})
        probed(bench)
    assert Verdict.WARN is checks["clock"].verdict
    assert set() == failing(checks)


# --- the canary -----------------------------------------------------------------------------------------------------


@pytest.fixture
def flown(sim, bench):
    """``flown(…)``: fly one where nothing rests; what it found, and every canary that the venue ever got."""
    if sim.open_count() != (0, 0):
        for conditional in (False, True):
            sim.client().cancel_symbol("BTCUSDT", conditional=conditional)

    def fly(*, may_send=lambda: None, **changes):
        plain = {
            "order_lots_max": 100,
            "notional_e8_max": 10**15,
            "countdown_ms": COUNTDOWN_MS,
            "late_ms": 600,
        }

        async def work(venue, specs):
            spec = next(one for one in specs if one.instrument == "BTCUSDT")
            return await venue.canary(Canary(spec=spec, may_send=may_send, **{**plain, **changes}))

        return bench(work), canaries(sim)

    return fly


def canaries(sim):
    return [one for one in sim.requests("place") if one["client_id"].startswith("hfcanary-")]


def test_the_canary_is_cancelled_by_the_venues_own_countdown(sim, flown):
    check, sent = flown()
    assert Verdict.OK is check.verdict, check
    assert (0, 0) == sim.open_count()
    assert "hfcanary" not in str(sim.requests("cancel")), "the venue did it, not we"
    assert sent[-1]["accepted"]


def test_a_countdown_that_never_fires_is_found_and_nothing_is_left_behind(sim, flown):
    """Taken, answered with a friendly 200, and doing nothing: only an order shows it."""
    sim.control("POST", "/account", {"deadman_fires": False})
    check, _ = flown()
    assert Verdict.FAIL is check.verdict
    assert "still open" in check.found
    assert (0, 0) == sim.open_count()


def test_a_refused_countdown_is_found_before_anything_is_sent(sim, flown):
    before = len(canaries(sim))
    sim.fault("retire", path="/fapi/v1/countdownCancelAll")
    check, after = flown()
    assert Verdict.FAIL is check.verdict
    assert before == len(after)


def test_no_canary_flies_where_it_could_do_harm(sim, flown):
    """Beside resting orders, which it would cancel; above the bot's own limits; with the latch tripped."""
    before = len(canaries(sim))
    for changes in ({"order_lots_max": 0}, {"notional_e8_max": 1}, {"may_send": lambda: Withheld.LATCH}):
        check, after = flown(**changes)
        assert (Verdict.WARN, before) == (check.verdict, len(after))
    sim.order("BUY", "0.010", "30000")
    check, after = flown()
    assert (Verdict.WARN, before) == (check.verdict, len(after))
    assert "orders rest in BTCUSDT" in check.found
    assert (1, 0) == sim.open_count()


def test_a_canary_that_nobody_saw_end_keeps_its_countdown(sim, flown):
    """Placed with no answer, and no cancel finds it: with the countdown disarmed it would rest for ever."""
    order = "/fapi/v1/order"
    sim.fault("ack_reset", path=order, method="POST", count=1)
    absent = {"http": 400, "code": -2011, "msg": "Unknown order sent."}
    sim.fault("refuse", path=order, method="DELETE", **absent)
    sim.fault("refuse", path=order, method="GET", **{**absent, "code": -2013, "msg": "Order does not exist."})
    check, sent = flown(countdown_ms=2_000)
    assert Verdict.FAIL is check.verdict, check
    assert "left running" in check.found
    assert sent[-1]["accepted"]
    deadline = time.monotonic() + 10
    while sim.open_count() != (0, 0):
        assert time.monotonic() < deadline, "it rests, and nothing will cancel it"
        time.sleep(0.05)


def test_a_canary_whose_end_is_seen_late_is_disarmed(sim, flown):
    """Placed with no answer: our cancel ends it, and no countdown of ours is left to meet a later order."""
    sim.fault("ack_reset", path="/fapi/v1/order", method="POST", count=1)
    check, _ = flown(countdown_ms=2_000)
    assert Verdict.WARN is check.verdict, check
    assert (0, 0) == sim.open_count()
    sim.order("BUY", "0.010", "30000")
    time.sleep(2.2)
    assert (1, 0) == sim.open_count()


COUNTDOWN = "/fapi/v1/countdownCancelAll"


def test_a_countdown_that_was_armed_without_an_answer_is_taken_back(sim, flown):
    """Nobody said that it runs, and it does: a later order must not meet it."""
    sim.fault("ack_reset", path=COUNTDOWN, count=1)
    check, _ = flown(countdown_ms=1_000)
    assert Verdict.FAIL is check.verdict
    assert "does not say that it armed it" in check.found
    sim.order("BUY", "0.010", "30000")
    time.sleep(1.2)
    assert (1, 0) == sim.open_count()


def test_a_countdown_that_cannot_be_taken_back_has_run_out_before_anything_else_begins(sim, flown):
    def armed():
        sim.fault("retire", path=COUNTDOWN)

    sim.fault("ack_reset", path="/fapi/v1/order", method="POST", count=1)
    check, _ = flown(countdown_ms=1_000, may_send=armed)
    assert Verdict.WARN is check.verdict, check
    sim.order("BUY", "0.010", "30000")
    time.sleep(1.2)
    assert (1, 0) == sim.open_count()


def test_a_canary_whose_fate_is_not_told_is_not_said_to_be_open(sim, flown):
    def armed():
        sim.fault("refuse", path="/fapi/v1/order", method="GET", http=503, code=-1001, msg="busy", for_s=1.4)

    check, _ = flown(may_send=armed)
    assert Verdict.FAIL is check.verdict
    assert "was not told" in check.found, check
    assert (0, 0) == sim.open_count()


@pytest.mark.parametrize("body", ["[{", "{}"])
def test_open_orders_that_cannot_be_read_are_not_taken_for_none(body):
    """A canary beside them would have them cancelled with it."""

    async def fly():
        async with fake_binance() as fake, loaded(fake) as venue:
            fake.answers["GET /fapi/v1/openOrders"] = lambda *_: reply(body)
            canary = Canary(
                spec=spec(),
                order_lots_max=100,
                notional_e8_max=10**15,
                countdown_ms=100,
                late_ms=100,
                may_send=lambda: None,
            )
            return await venue.canary(canary), fake.asked_of("/fapi/v1/countdownCancelAll")

    check, armed = asyncio.run(fly())
    assert (Verdict.WARN, []) == (check.verdict, armed)
    assert "the open orders are not told" in check.found


# --- any exchange of ccxt -------------------------------------------------------------------------------------------


def test_any_exchange_of_ccxt_is_asked_what_it_can_answer(sim):
    async def run(broken):
        venue = AnyCcxtVenue(
            AnyCcxtConfig(
                exchange_id="binanceusdm",
                symbols=("BTC/USDT:USDT",),
                account_tag=7,
                credentials=CREDENTIALS,
                order_window_ms=1_000,
                endpoints=Endpoints(http=sim.url, ws=sim.url.replace("http", "ws", 1)),
            )
        )
        try:
            await venue.load()
            if broken:
                sim.fault("retire", path="/fapi/v1/openOrders")
            return {check.name: check.verdict for check in await venue.probe(EXPECTED)}
        finally:
            await venue.close()

    good = asyncio.run(run(broken=False))
    assert {
        "clock",
        "balances",
        "positions",
        "open orders",
        "executions BTC/USDT:USDT",
        "not asked",
    } == good.keys()
    assert Verdict.FAIL not in good.values()
    assert Verdict.FAIL is asyncio.run(run(broken=True))["open orders"]
