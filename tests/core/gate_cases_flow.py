"""The gate's checks of flow within a window, each at its edge. An order of these cases is for 10 lots of BTC."""

from holdfast.core.gate import checks
from holdfast.vocab.limits import FlowRules, GroupFlowRules
from holdfast.vocab.refusals import NoFacts, OverFlow, Walked
from tests.core.gate_table import BUY, LOT_E8, MARKET, SELL, L, case
from tests.house.setup import BTC, BTC_TICKS, ETH

MID = BTC_TICKS
RULES = FlowRules(instrument=BTC, window_ms=8_000, same_side_e8_max=30 * LOT_E8, walk_ppm_max=1_000)
GROUP = GroupFlowRules(group="crypto", window_ms=8_000, same_side_e8_max=30 * LOT_E8)
FULL = {"price_ticks": MID, "qty_lots": 10}
EXIT = {"side": SELL, "reduce_only": True, **FULL}


def sent(*rows):
    """(ms ago, by whom, side, lots, exit)"""
    return {
        "flow": RULES,
        "sent": [(ago, who, side, lots, MID, bool(rest)) for ago, who, side, lots, *rest in rows],
    }


def walked(mid, ago_ms=1_000, who="alpha"):
    return {"flow": RULES, "sent": [(ago_ms, who, BUY, 1, mid, False)]}


def in_group(*rows):
    """(ms ago, by whom, in what, side, lots of BTC, exit)"""
    return {
        "facts": {"group": "crypto"},
        "group_flow": GROUP,
        "group_sent": [
            (ago, who, where, side, lots * LOT_E8, bool(rest)) for ago, who, where, side, lots, *rest in rows
        ],
    }


def over(lots, of=""):
    return OverFlow(would_be_e8=lots * LOT_E8, limit_e8=30 * LOT_E8, window_ms=8_000, of=of)


FLOW_CASES = [
    case(
        "everybody's orders on one side come to the limit itself",
        checks.within_the_flow,
        sent((3_000, "alpha", BUY, 10), (1_000, "beta", BUY, 10)),
        FULL,
    ),
    case(
        "everybody's orders on one side come to more",
        checks.within_the_flow,
        sent((3_000, "gamma", BUY, 11), (1_000, "beta", BUY, 10)),
        FULL,
        over(31),
    ),
    case(
        "the other side is counted apart",
        checks.within_the_flow,
        sent((3_000, "gamma", SELL, 30), (1_000, "beta", BUY, 10)),
        FULL,
    ),
    case(
        "the last nanosecond within the window",
        checks.within_the_flow,
        sent((7_999, "beta", BUY, 21)),
        FULL,
        over(31),
    ),
    case(
        "what is as old as the window is over", checks.within_the_flow, sent((8_000, "beta", BUY, 21)), FULL
    ),
    case(
        "at the market it counts by the far touch",
        checks.within_the_flow,
        sent((1_000, "beta", BUY, 20)),
        {**MARKET, "qty_lots": 10},
        OverFlow(would_be_e8=20 * LOT_E8 + 10 * (MID + 5) * 10_000, limit_e8=30 * LOT_E8, window_ms=8_000),
    ),
    case(
        "an exit is throttled where one was sent within the window",
        checks.within_the_flow,
        {"position": 30, **sent((7_000, "alpha", SELL, 1, True), (1_000, "beta", SELL, 20))},
        EXIT,
        over(31),
    ),
    case(
        "an exit waits no longer than the window",
        checks.within_the_flow,
        {"position": 30, **sent((8_000, "alpha", SELL, 1, True), (1_000, "beta", SELL, 29))},
        EXIT,
    ),
    case(
        "another's exit is not this one's",
        checks.within_the_flow,
        {"position": 30, **sent((1_000, "beta", SELL, 29, True))},
        EXIT,
    ),
    case(
        "where only reducing is allowed every order is an exit",
        checks.within_the_flow,
        {"position": 30, "level": L.REDUCE_ONLY, **sent((1_000, "beta", SELL, 29))},
        {"side": SELL, **FULL},
    ),
    case(
        "a group comes to its limit itself",
        checks.within_the_flow,
        in_group((1_000, "beta", ETH, BUY, 20)),
        FULL,
    ),
    case(
        "a group comes to more, in all of its instruments",
        checks.within_the_flow,
        in_group((3_000, "gamma", ETH, BUY, 11), (1_000, "beta", BTC, BUY, 10)),
        FULL,
        over(31, of="crypto"),
    ),
    case(
        "another side and what is over do not count in a group either",
        checks.within_the_flow,
        in_group((1_000, "beta", ETH, SELL, 30), (8_000, "beta", ETH, BUY, 30)),
        FULL,
    ),
    case(
        "a group without rules is not bounded",
        checks.within_the_flow,
        {**in_group((1_000, "beta", ETH, BUY, 30)), "facts": {"group": "metals"}},
        FULL,
    ),
    case(
        "where groups are bounded, one that nobody told refuses",
        checks.within_the_flow,
        {**in_group(), "facts": {"group": ""}},
        FULL,
        NoFacts(what="group"),
    ),
    case(
        "and still lets out",
        checks.within_the_flow,
        {"position": 30, **in_group(), "facts": {"group": ""}},
        EXIT,
    ),
    case(
        "and where only reducing is allowed",
        checks.within_the_flow,
        {"position": 30, "level": L.REDUCE_ONLY, **in_group(), "facts": {"group": ""}},
        {"side": SELL, **FULL},
    ),
    case(
        "an exit waits for the last one of its own instrument",
        checks.within_the_flow,
        {"position": 30, **in_group((1_000, "alpha", BTC, SELL, 29, True))},
        EXIT,
        over(39, of="crypto"),
    ),
    case(
        "and for no other's",
        checks.within_the_flow,
        {"position": 30, **in_group((1_000, "alpha", ETH, SELL, 29, True))},
        EXIT,
    ),
    case(
        "as far as it may walk from where its window began",
        checks.within_the_walk,
        walked(MID),
        {"price_ticks": MID + 600},
    ),
    case(
        "further up than its window began",
        checks.within_the_walk,
        walked(MID),
        {"price_ticks": MID + 601},
        Walked(price_ticks=MID + 601, reference_ticks=MID, limit_ppm=1_000, window_ms=8_000),
    ),
    case(
        "further down than its window began",
        checks.within_the_walk,
        walked(MID),
        {"price_ticks": MID - 601, "side": SELL},
        Walked(price_ticks=MID - 601, reference_ticks=MID, limit_ppm=1_000, window_ms=8_000),
    ),
    case(
        "a passive price walks nothing",
        checks.within_the_walk,
        walked(MID),
        {"price_ticks": MID - 2_000},
    ),
    case(
        "at the market it walks to the far touch",
        checks.within_the_walk,
        walked(MID - 700),
        MARKET,
        Walked(price_ticks=MID + 5, reference_ticks=MID - 700, limit_ppm=1_000, window_ms=8_000),
    ),
    case(
        "another's window is not its own",
        checks.within_the_walk,
        walked(MID - 700, who="beta"),
        {"price_ticks": MID},
    ),
    case(
        "a window that is over began nowhere",
        checks.within_the_walk,
        walked(MID - 700, ago_ms=8_000),
        {"price_ticks": MID},
    ),
    case(
        "an exit follows the market",
        checks.within_the_walk,
        {"position": 30, "flow": RULES, "sent": [(1_000, "alpha", SELL, 1, MID + 700, False)]},
        EXIT,
    ),
]
