"""The rules an exchange goes by: filters, leverage brackets, intervals, limits of memory, first ids."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from holdfast.vocab.units import E8, NS_PER_S


class Bracket(Struct, frozen=True, kw_only=True):
    """One step of the leverage table: up to this notional, this leverage at most, this share must be kept."""

    leverage_max: int
    notional_e8_max: int
    maintenance_ppm: int


def _brackets(*rows: tuple[int, int, int]) -> tuple[Bracket, ...]:
    return tuple(
        Bracket(leverage_max=leverage, notional_e8_max=notional * E8, maintenance_ppm=ppm)
        for leverage, notional, ppm in rows
    )


# Shaped like Binance's table of a large perpetual: leverage, notional up to (USDT), maintenance share.
DEFAULT_BRACKETS: Final = _brackets(
    (125, 50_000, 4_000),
    (100, 600_000, 5_000),
    (75, 3_000_000, 6_500),
    (50, 12_000_000, 10_000),
    (25, 70_000_000, 20_000),
    (20, 100_000_000, 25_000),
    (10, 230_000_000, 50_000),
    (5, 480_000_000, 100_000),
    (4, 600_000_000, 125_000),
    (3, 800_000_000, 150_000),
    (2, 1_200_000_000, 250_000),
    (1, 1_800_000_000, 500_000),
)


class SymbolRules(Struct, frozen=True, kw_only=True):
    """What Binance tells in exchangeInfo beyond tick, lot and smallest notional.

    ``price_up_ppm``/``price_down_ppm``: PERCENT_PRICE, of the mark. ``market_take_ppm``: how far beyond the mark
    a market order may take (marketTakeBound). ``trigger_protect_ppm``: mark and last further apart than this keep
    a price-protected conditional order from triggering.
    """

    brackets: tuple[Bracket, ...] = DEFAULT_BRACKETS
    price_ticks_min: int = 1
    price_ticks_max: int = 1 << 40
    price_up_ppm: int = 1_050_000
    price_down_ppm: int = 950_000
    market_take_ppm: int = 50_000
    trigger_protect_ppm: int = 50_000
    liquidation_fee_ppm: int = 12_500
    max_orders: int = 200
    max_algo_orders: int = 200


class SyntheticDepth(Struct, frozen=True, kw_only=True):
    """What is assumed to stand beyond the deepest level that the market source has told of.

    ``levels_max`` 0: nothing. Each level holds ``notional_e8`` worth of lots, one ``step_ppm`` of the price from
    the next.
    """

    levels_max: int = 200
    step_ppm: int = 20
    notional_e8: int = 50_000 * E8


class ExchangeConfig(Struct, frozen=True, kw_only=True):
    """Everything an exchange decides by, besides its instruments. ``rules`` by symbol override ``rules_default``.

    ``funding_ppb`` is the rate where the source gives no marks; the source's own rate otherwise. Funding falls on
    whole multiples of the interval since the epoch. ``mark_smoothing_ppm``: where no marks are recorded, the mark
    moves this share of its distance to the mid each ``mark_interval_ns``.
    ``client_id_memory_ns``: a client id of a finished order is refused again for this long.
    ``ladder_levels_max``: known levels kept per side; the deepest fall out.
    """

    rules_default: SymbolRules = SymbolRules()
    rules: dict[str, SymbolRules] = {}
    synthetic: SyntheticDepth = SyntheticDepth()
    leverage_default: int = 20
    funding_interval_ns: int = 8 * 3600 * NS_PER_S
    funding_ppb: int = 100_000
    mark_interval_ns: int = NS_PER_S
    mark_smoothing_ppm: int = 100_000
    margin_call_ppm: int = 800_000
    client_id_memory_ns: int = 600 * NS_PER_S
    good_till_ns_min: int = 600 * NS_PER_S
    amendments_max: int = 10_000
    ladder_levels_max: int = 5_000
    orders_kept_max: int = 200_000
    fills_kept_max: int = 1_000_000
    incomes_kept_max: int = 1_000_000
    order_id_first: int = 500_000_000_001
    trade_id_first: int = 9_000_000_001
    algo_id_first: int = 1_000_000_000_000_001
    tran_id_first: int = 700_000_000_001

    def rules_of(self, symbol: str) -> SymbolRules:
        """The rules of one symbol."""
        return self.rules.get(symbol, self.rules_default)
