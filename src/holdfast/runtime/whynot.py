"""A refusal in words for a person: what is too much of what, in human units, and what would permit it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from holdfast.core.holds.rules import RULES
from holdfast.vocab import refusals as why
from holdfast.vocab.governed import wait_text
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.units import NS_PER_S, e8_text, text_of

_DAY_MS: Final = 86_400_000


class Place(Struct, frozen=True, kw_only=True):
    """Whose order was refused, and where. Without a spec sizes stay in lots and prices in ticks."""

    strategy: str
    instrument: str
    spec: InstrumentSpec | None

    def size(self, lots: int) -> str:
        return f"{lots} lots" if self.spec is None else text_of(lots, Decimal(self.spec.lot))

    def price(self, ticks: int) -> str:
        return f"{ticks} ticks" if self.spec is None else text_of(ticks, Decimal(self.spec.tick))

    @property
    def pair(self) -> str:
        return f"[limits.strategy.{self.strategy}.{self.instrument}]"

    @property
    def table(self) -> str:
        return f"[limits.instrument.{self.instrument}]"


def in_words(refusal: why.Refusal, place: Place) -> tuple[str, str]:
    """(what forbade it, what would permit it), one line each."""
    size = place.size
    match refusal:
        case why.Held():
            said = f"hold {refusal.hold_id} ({refusal.cause.value}) stands at {refusal.level.name}"
            return said, RULES[refusal.cause].remedy.replace("HOLD", str(refusal.hold_id))
        case why.NotAllowed():
            who, where = refusal.strategy or "no strategy", refusal.instrument or "no instrument"
            return f"{who} may not trade {where}", f"{place.pair}, and the instrument in the strategy's list"
        case (
            why.BadTerms() | why.NotTrading() | why.SelfMatch() | why.NoSuchOwnOrder() | why.DuplicateIntent()
        ):
            return _senseless(refusal, place)
        case why.QtyOutOfRange():
            bounds = f"{size(refusal.min_lots)} to {size(refusal.max_lots)}"
            return f"{size(refusal.qty_lots)} is outside the venue's sizes, {bounds}", "a size between them"
        case why.UnderNotional():
            worth, least = e8_text(refusal.notional_e8), e8_text(refusal.min_e8)
            return f"worth {worth}, less than the {least} that the venue takes", "a larger order"
        case why.OverOrderSize():
            said = f"{size(refusal.qty_lots)} in one order; at most {size(refusal.limit_lots)}"
            return said, f"a smaller order; the limit is order_max in {place.pair} or {place.table}"
        case why.OverOrderNotional():
            said = f"worth {e8_text(refusal.notional_e8)} in one order; at most {e8_text(refusal.limit_e8)}"
            return said, f"a smaller order; the limit is order_notional_max in {place.table}"
        case why.OverPosition():
            where = place.pair if refusal.of == "strategy" else place.table
            would_be = f"the position at worst case would be {size(refusal.would_be_lots)}"
            return (
                f"{would_be}; at most {size(refusal.limit_lots)} for the {refusal.of}",
                f"a smaller order, or fewer open ones; the limit is position_max in {where}",
            )
        case why.OverParent():
            said = f"the children of parent {refusal.parent_id} would be {size(refusal.would_be_lots)}"
            return (
                f"{said}; the parent is {size(refusal.parent_lots)}",
                "a smaller child, or a parent of its own",
            )
        case why.NotReducing():
            position = f"the position is {size(refusal.position_lots)}"
            exits = f", {size(refusal.reducing_lots)} of exits are working" if refusal.reducing_lots else ""
            return (
                f"{size(refusal.qty_lots)} would increase or flip it: {position}{exits}",
                "an order that only reduces; or the release of what holds trading at reduce-only",
            )
        case (
            why.OutsideHours()
            | why.StaleFacts()
            | why.NoFacts()
            | why.OverVolume()
            | why.OverDepth()
            | why.OutsideBands()
            | why.OverShare()
            | why.OverNet()
        ):
            return _by_reference(refusal, place)
        case why.OverFlow() | why.Walked():
            return _by_flow(refusal, place)
        case _:
            return _priced_or_counted(refusal, place)


def _by_reference(
    refusal: why.OutsideHours
    | why.StaleFacts
    | why.NoFacts
    | why.OverVolume
    | why.OverDepth
    | why.OutsideBands
    | why.OverShare
    | why.OverNet,
    place: Place,
) -> tuple[str, str]:
    renew = "holdfast reference check names what is wrong; the file is read again by itself"
    match refusal:
        case why.OutsideHours():
            whose = "venue's session" if refusal.of == "venue" else f"{refusal.of}'s hours"
            opens = f"its opening at {_wall_text(refusal.opens_wall_ns)}" if refusal.opens_wall_ns else renew
            return f"outside the {whose}", opens
        case why.StaleFacts():
            days, most = refusal.age_ms // _DAY_MS, refusal.limit_ms // _DAY_MS
            return f"the reference file is {days} days old; at most {most}", f"a new as_of in it: {renew}"
        case why.NoFacts():
            return f"no {refusal.what} of {place.instrument} is known", renew
        case why.OverVolume():
            share = _ratio(refusal.limit_ppm, percent=True)
            adv = place.size(refusal.adv_lots)
            said = f"{place.size(refusal.qty_lots)} is more than {share}% of an average day's {adv}"
            return said, f"a smaller order; the limit is adv_share_max in {place.table}"
        case why.OverDepth():
            times = _ratio(refusal.limit_ppm, percent=False)
            shown = place.size(refusal.shown_lots)
            said = f"{place.size(refusal.qty_lots)} may take at once, and the touch shows {shown}; at most {times}x"
            return said, f"a smaller or a resting order; the limit is depth_max in {place.table}"
        case why.OutsideBands():
            low = place.price(refusal.low_ticks) if refusal.low_ticks else "none"
            high = place.price(refusal.high_ticks) if refusal.high_ticks else "none"
            said = f"{place.price(refusal.price_ticks)} is outside the venue's bands (low {low}, high {high})"
            return said, "a price within them, or the bands of a new day in the reference file"
        case why.OverShare():
            would_be, limit = (
                _ratio(refusal.would_be_ppm, percent=False),
                _ratio(refusal.limit_ppm, percent=False),
            )
            one = refusal.of == place.instrument
            who = place.instrument if one else f"group {refusal.of}"
            key = f"equity_share_max in {place.table}" if one else "group_share_max in [limits.account]"
            said = f"{who} at worst case would be {would_be}x of equity; at most {limit}x"
            return said, f"a smaller order, or fewer open ones; the limit is {key}"
        case why.OverNet():
            would_be, limit = e8_text(refusal.would_be_e8), e8_text(refusal.limit_e8)
            said = f"net notional at worst case would be {would_be}; at most {limit}"
            return (
                said,
                "a smaller order, or one to the other side; the limit is net_notional_max in [limits.account]",
            )


def _by_flow(refusal: why.OverFlow | why.Walked, place: Place) -> tuple[str, str]:
    table, within = f"[flow.{place.instrument}]", f"within {wait_text(refusal.window_ms)}"
    if isinstance(refusal, why.OverFlow) and refusal.of:
        table, within = f"[flow_group.{refusal.of}]", f"in group {refusal.of} {within}"
    match refusal:
        case why.OverFlow():
            would_be, limit = e8_text(refusal.would_be_e8), e8_text(refusal.limit_e8)
            said = f"all strategies would send {would_be} on this side {within}; at most {limit}"
            return said, f"a smaller order, or a later one; the limit is same_side_max in {table}"
        case why.Walked():
            price, began = place.price(refusal.price_ticks), place.price(refusal.reference_ticks)
            most = _ratio(refusal.limit_ppm, percent=True)
            said = f"{price} is more than {most}% from the {began} at which the strategy began {within}"
            return said, f"a price nearer to that, or a later order; the limit is walk_max in {table}"


def _wall_text(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // NS_PER_S, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def _senseless(
    refusal: why.BadTerms | why.NotTrading | why.SelfMatch | why.NoSuchOwnOrder | why.DuplicateIntent,
    place: Place,
) -> tuple[str, str]:
    match refusal:
        case why.BadTerms():
            return refusal.why, "an order that makes sense"
        case why.NotTrading():
            said = f"{place.instrument} cannot be traded now: {refusal.status}"
            return said, "its facts and limits, and the venue trading it"
        case why.SelfMatch():
            price, resting = place.price(refusal.price_ticks), place.price(refusal.resting_ticks)
            said = f"at {price} it would meet the account's own order at {resting}"
            return said, "a price that does not reach it, or that order cancelled and final"
        case why.NoSuchOwnOrder():
            return f"order {refusal.order_id} is unknown, final or another's", "one of its own open orders"
        case why.DuplicateIntent():
            return f"intent {refusal.intent_seq} repeats an earlier order", "waiting out duplicate_window"


def _priced_or_counted(
    refusal: why.OverGross
    | why.NoReference
    | why.StaleReference
    | why.OutsideCollar
    | why.Slipped
    | why.OverRate
    | why.OverDay
    | why.TooManyOrders
    | why.UnknownEquity,
    place: Place,
) -> tuple[str, str]:
    account = "[limits.account]"
    match refusal:
        case why.OverGross(unit="ppm"):
            would_be, limit = _ratio(refusal.would_be, percent=False), _ratio(refusal.limit, percent=False)
            said = f"the account's leverage at worst case would be {would_be}x; at most {limit}x"
            return said, f"a smaller order, or fewer open ones; the limit is leverage_max in {account}"
        case why.OverGross():
            would_be, limit = e8_text(refusal.would_be), e8_text(refusal.limit)
            said = f"gross notional at worst case would be {would_be}; at most {limit}"
            return said, f"a smaller order, or fewer open ones; the limit is gross_notional_max in {account}"
        case why.NoReference():
            return f"no {refusal.what} to judge the price by", "market data"
        case why.StaleReference():
            said = f"the newest quote is {refusal.age_ms} ms old; at most {refusal.limit_ms} ms"
            return said, "fresh data; the limit is quote_age_max in [timings]"
        case why.OutsideCollar():
            price, reference = place.price(refusal.price_ticks), place.price(refusal.reference_ticks)
            limit = _ratio(refusal.limit_ppm, percent=True)
            said = f"{price} is further than {limit}% from the reference {reference}"
            return said, f"a price nearer to it; the limit is collar in {place.table}"
        case why.Slipped():
            pays, decided = place.price(refusal.would_pay_ticks), place.price(refusal.decision_ticks)
            limit = _ratio(refusal.limit_ppm, percent=True)
            said = f"it would pay {pays} and was decided at {decided}: more than {limit}% against it"
            return said, f"a new decision; the limit is slippage_max in {place.pair}"
        case why.OverRate():
            where = {"instrument": place.table, "strategy": place.pair}.get(refusal.of, account)
            said = f"{refusal.count} orders asked for within a second; at most {refusal.limit} for the {refusal.of}"
            return said, f"slower orders; the limit is orders_per_s_refuse in {where}"
        case why.OverDay():
            money = refusal.what == "traded"
            count, limit = (e8_text(one) if money else str(one) for one in (refusal.count, refusal.limit))
            said = f"{refusal.what} of this day: {count}; at most {limit}"
            return said, f"the next day, or an exit; the limit is {refusal.what}_per_day_max in {account}"
        case why.TooManyOrders():
            said = f"{refusal.count} orders are open; at most {refusal.limit}"
            return said, f"a cancel; the limit is open_orders_max in {account}"
        case why.UnknownEquity():
            return (
                f"the leverage cannot be judged: {refusal.why}",
                "the venue's word on the balance: holdfast sync",
            )


def _ratio(ppm: int, *, percent: bool) -> str:
    return text_of(ppm, Decimal("0.0001" if percent else "0.000001"))
