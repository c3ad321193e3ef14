"""The gate's checks of hours, volumes, bands and shares, each at its edge."""

from holdfast.core.gate import checks
from holdfast.vocab.orders import OrderType, TimeInForce
from holdfast.vocab.refusals import (
    NoFacts,
    OutsideBands,
    OutsideHours,
    OverDepth,
    OverNet,
    OverShare,
    OverVolume,
    StaleFacts,
    UnknownEquity,
)
from holdfast.vocab.units import E8, PPM
from tests.core.gate_table import LOT_E8, MARKET, SELL, L, case
from tests.house.setup import BTC, BTC_TICKS, WALL_NS, account_limits, instrument_limits

DAY_MS = 86_400_000
NOW = WALL_NS
LATER = NOW + 3_600 * 10**9
EXIT = {"side": SELL, "reduce_only": True}
HELD = {"position": 10}
OLD = {"told": True, "as_of_ns": NOW - DAY_MS * 10**6, "age_ms_max": DAY_MS, "fresh_until_ns": NOW}
ADV = instrument_limits(adv_share_ppm_max=100_000)
DEPTH = instrument_limits(depth_ppm_max=2 * PPM)
ASK = BTC_TICKS + 5
BID = BTC_TICKS - 5
BANDS = {"band_low_ticks": BTC_TICKS - 5, "band_high_ticks": BTC_TICKS + 5}
SHARE = instrument_limits(equity_share_ppm_max=200_000)  # 2,000 of 10,000: 33 lots of 60
GROUP = account_limits(group_share_ppm_max=400_000)
CRYPTO = {"group": "crypto"}
NET = account_limits(net_notional_e8_max=3_000 * E8)  # 50 lots of 60

HOURS_CASES = [
    case(
        "the last nanosecond of the venue's session",
        checks.within_hours,
        {"facts": {"session_until_ns": NOW + 1}},
    ),
    case(
        "the venue is closed",
        checks.within_hours,
        {"facts": {"session_until_ns": NOW, "session_opens_ns": LATER}},
        {},
        OutsideHours(of="venue", opens_wall_ns=LATER),
    ),
    case(
        "a closed venue takes no exit either",
        checks.within_hours,
        {"facts": {"session_until_ns": 0}, **HELD},
        EXIT,
        OutsideHours(of="venue", opens_wall_ns=0),
    ),
    case("the last nanosecond of our own hours", checks.within_hours, {"window": (NOW + 1, 0, "")}),
    case(
        "outside our own hours",
        checks.within_hours,
        {"window": (NOW, LATER, "strategy")},
        {},
        OutsideHours(of="strategy", opens_wall_ns=LATER),
    ),
    case(
        "an exit passes outside our own hours",
        checks.within_hours,
        {"window": (0, LATER, "strategy"), **HELD},
        EXIT,
    ),
]
FACTS_CASES = [
    case(
        "the file may be a nanosecond short of its age",
        checks.known_by_fresh_facts,
        {"facts": {**OLD, "fresh_until_ns": NOW + 1}},
    ),
    case(
        "the file is too old",
        checks.known_by_fresh_facts,
        {"facts": OLD},
        {},
        StaleFacts(age_ms=DAY_MS, limit_ms=DAY_MS),
    ),
    case("an old file keeps no exit in", checks.known_by_fresh_facts, {"facts": OLD, **HELD}, EXIT),
    case(
        "the file has no row of it",
        checks.known_by_fresh_facts,
        {"facts": {"fresh_until_ns": 0}},
        {},
        NoFacts(what="row in the reference file"),
    ),
]
VOLUME_CASES = [
    case(
        "a tenth of the daily volume", checks.within_volume, {"instrument": ADV, "facts": {"adv_lots": 100}}
    ),
    case(
        "a lot over its share of the daily volume",
        checks.within_volume,
        {"instrument": ADV, "facts": {"adv_lots": 99}},
        {},
        OverVolume(qty_lots=10, adv_lots=99, limit_ppm=100_000),
    ),
    case(
        "nobody told the daily volume",
        checks.within_volume,
        {"instrument": ADV},
        {},
        NoFacts(what="average daily volume"),
    ),
    case("an exit needs no volume", checks.within_volume, {"instrument": ADV, **HELD}, EXIT),
    case(
        "twice what the touch shows",
        checks.within_volume,
        {"instrument": DEPTH, "shown": 5},
        {"price_ticks": ASK},
    ),
    case(
        "a lot over twice what the offer shows",
        checks.within_volume,
        {"instrument": DEPTH, "shown": 5},
        {"price_ticks": ASK, "qty_lots": 11},
        OverDepth(qty_lots=11, shown_lots=5, limit_ppm=2 * PPM),
    ),
    case(
        "a lot over twice what the bid shows",
        checks.within_volume,
        {"instrument": DEPTH, "shown": 5},
        {"side": SELL, "price_ticks": BID, "qty_lots": 11},
        OverDepth(qty_lots=11, shown_lots=5, limit_ppm=2 * PPM),
    ),
    case(
        "a market order takes at once",
        checks.within_volume,
        {"instrument": DEPTH, "shown": 4},
        MARKET,
        OverDepth(qty_lots=10, shown_lots=4, limit_ppm=2 * PPM),
    ),
    case("an order that rests walks no book", checks.within_volume, {"instrument": DEPTH, "shown": 1}, {}),
    case(
        "nor does one that is post-only",
        checks.within_volume,
        {"instrument": DEPTH, "shown": 1},
        {"price_ticks": ASK, "tif": TimeInForce.POST_ONLY},
    ),
]
BANDS_CASES = [
    case("at limit up", checks.inside_the_bands, {"facts": BANDS}, {"price_ticks": BTC_TICKS + 5}),
    case("at limit down", checks.inside_the_bands, {"facts": BANDS}, {"price_ticks": BTC_TICKS - 5}),
    case(
        "a tick over limit up",
        checks.inside_the_bands,
        {"facts": BANDS},
        {"price_ticks": BTC_TICKS + 6},
        OutsideBands(price_ticks=BTC_TICKS + 6, low_ticks=BTC_TICKS - 5, high_ticks=BTC_TICKS + 5),
    ),
    case(
        "a tick under limit down, and only that is told",
        checks.inside_the_bands,
        {"facts": {"band_low_ticks": BTC_TICKS - 5}},
        {"price_ticks": BTC_TICKS - 6},
        OutsideBands(price_ticks=BTC_TICKS - 6, low_ticks=BTC_TICKS - 5, high_ticks=0),
    ),
    case(
        "a market order goes by the touch",
        checks.inside_the_bands,
        {"facts": {"band_high_ticks": BTC_TICKS}},
        MARKET,
        OutsideBands(price_ticks=ASK, low_ticks=0, high_ticks=BTC_TICKS),
    ),
    case(
        "and one that sells by the bid",
        checks.inside_the_bands,
        {"facts": {"band_low_ticks": BTC_TICKS}},
        {**MARKET, "side": SELL},
        OutsideBands(price_ticks=BID, low_ticks=BTC_TICKS, high_ticks=0),
    ),
    case(
        "a stop by its trigger, exit or not",
        checks.inside_the_bands,
        {"facts": BANDS, **HELD},
        {
            **EXIT,
            "order_type": OrderType.STOP_MARKET,
            "price_ticks": None,
            "trigger_ticks": BTC_TICKS - 6,
        },
        OutsideBands(price_ticks=BTC_TICKS - 6, low_ticks=BTC_TICKS - 5, high_ticks=BTC_TICKS + 5),
    ),
]
SHARES_CASES = [
    case(
        "a fifth of equity",
        checks.within_shares,
        {"instrument": SHARE, "position": 23, "equity_e8": 33 * 5 * LOT_E8},
    ),
    case(
        "a hair over a fifth of equity",
        checks.within_shares,
        {"instrument": SHARE, "position": 23, "equity_e8": 33 * 5 * LOT_E8 - 1},
        {},
        OverShare(of=BTC, would_be_ppm=200_001, limit_ppm=200_000),
    ),
    case(
        "the short side counts as much, and everybody's orders",
        checks.within_shares,
        {"instrument": SHARE, "others": -14, "others_open_sells": 10},
        {"side": SELL},
        OverShare(of=BTC, would_be_ppm=204_000, limit_ppm=200_000),
    ),
    case(
        "the larger side is the worst",
        checks.within_shares,
        {"instrument": SHARE, "position": 34},
        {"side": SELL},
        OverShare(of=BTC, would_be_ppm=204_000, limit_ppm=200_000),
    ),
    case(
        "at the highest known price",
        checks.within_shares,
        {"instrument": SHARE, "position": 23, "last": BTC_TICKS * 2},
        {},
        OverShare(of=BTC, would_be_ppm=396_000, limit_ppm=200_000),
    ),
    case(
        "at the mark, where that is higher",
        checks.within_shares,
        {"instrument": SHARE, "position": 23, "mark": BTC_TICKS + 6_000, "equity_e8": 33 * 5 * LOT_E8},
        {},
        OverShare(of=BTC, would_be_ppm=202_000, limit_ppm=200_000),
    ),
    case(
        "REDUCED: half a fifth",
        checks.within_shares,
        {"instrument": SHARE, "position": 7, "level": L.REDUCED},
        {},
        OverShare(of=BTC, would_be_ppm=102_000, limit_ppm=100_000),
    ),
    case("an exit passes", checks.within_shares, {"instrument": SHARE, "position": 100}, EXIT),
    case(
        "a share needs equity",
        checks.within_shares,
        {"instrument": SHARE, "equity_e8": None},
        {},
        UnknownEquity(why="no equity yet"),
    ),
    case(
        "and equity above zero",
        checks.within_shares,
        {"instrument": SHARE, "equity_e8": 0},
        {},
        UnknownEquity(why="equity is not above zero"),
    ),
    case(
        "the group's share of equity",
        checks.within_shares,
        {"account": GROUP, "facts": CRYPTO, "group_elsewhere_e8": 4_000 * E8 - 10 * LOT_E8},
    ),
    case(
        "a hair over the group's share",
        checks.within_shares,
        {"account": GROUP, "facts": CRYPTO, "group_elsewhere_e8": 4_000 * E8 - 10 * LOT_E8 + 1},
        {},
        OverShare(of="crypto", would_be_ppm=400_001, limit_ppm=400_000),
    ),
    case(
        "what it holds itself counts in the group once",
        checks.within_shares,
        {"account": GROUP, "facts": CRYPTO, "position": 20, "group_elsewhere_e8": 4_000 * E8 - 30 * LOT_E8},
    ),
    case(
        "REDUCED: half the group's share",
        checks.within_shares,
        {
            "account": GROUP,
            "facts": CRYPTO,
            "level": L.REDUCED,
            "group_elsewhere_e8": 2_000 * E8 - 10 * LOT_E8 + 1,
        },
        {},
        OverShare(of="crypto", would_be_ppm=200_001, limit_ppm=200_000),
    ),
    case(
        "nobody told its group",
        checks.within_shares,
        {"account": GROUP},
        {},
        NoFacts(what="group"),
    ),
]
NET_CASES = [
    case("net up to the limit", checks.within_net, {"account": NET, "net_elsewhere_e8": 40 * LOT_E8}),
    case(
        "a hair over it",
        checks.within_net,
        {"account": NET, "net_elsewhere_e8": 40 * LOT_E8 + 1},
        {},
        OverNet(would_be_e8=50 * LOT_E8 + 1, limit_e8=50 * LOT_E8),
    ),
    case(
        "short is net too",
        checks.within_net,
        {"account": NET, "net_elsewhere_e8": -40 * LOT_E8 - 1},
        {"side": SELL},
        OverNet(would_be_e8=50 * LOT_E8 + 1, limit_e8=50 * LOT_E8),
    ),
    case(
        "the other side takes it back",
        checks.within_net,
        {"account": NET, "net_elsewhere_e8": 49 * LOT_E8},
        {"side": SELL},
    ),
    case(
        "what rests on its side counts, what rests on the other does not",
        checks.within_net,
        {"account": NET, "position": 30, "open_buys": 11, "open_sells": 60},
        {},
        OverNet(would_be_e8=51 * LOT_E8, limit_e8=50 * LOT_E8),
    ),
    case(
        "REDUCED: half of it",
        checks.within_net,
        {"account": NET, "net_elsewhere_e8": 15 * LOT_E8 + 1, "level": L.REDUCED},
        {},
        OverNet(would_be_e8=25 * LOT_E8 + 1, limit_e8=25 * LOT_E8),
    ),
    case(
        "an exit adds nothing",
        checks.within_net,
        {"account": NET, "net_elsewhere_e8": -90 * LOT_E8, **HELD},
        EXIT,
    ),
]
REFERENCE_CASES = [*HOURS_CASES, *FACTS_CASES, *VOLUME_CASES, *BANDS_CASES, *SHARES_CASES, *NET_CASES]
