"""The engine on a recorded session: real order of frames, real gaps between quote and print."""

from itertools import islice

import pytest

from holdfast.sim.exchange import Exchange
from holdfast.sim.model import NewOrder
from holdfast.sim.sources import RecordedFrames
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import Side
from holdfast.vocab.units import E8
from tests.sim.engine_house import code_of

pytestmark = pytest.mark.data


def quoting(data_dir, frames):
    """A two-sided quoter at the touch that requotes each 150th quote; returns (exchange, account)."""
    source = RecordedFrames([data_dir / "binance_ws_raw" / "usdm_btcusdt_20240808.jsonl_ts.gz"])
    exchange = Exchange(source.specs)
    account = exchange.open_account(
        "quoter", api_key="k", secret="s", uid="1", balances={"USDT": 100_000 * E8}
    )
    quotes = 0
    for frame in islice(source.frames(), frames):
        event, now_ns = frame.event, frame.recv_ns
        if event is None:
            continue
        exchange.on_market(event, now_ns)
        if not isinstance(event, Quote):
            continue
        quotes += 1
        if quotes % 150:
            continue
        exchange.cancel_all(account, event.instrument, now_ns)
        for side, price in ((Side.BUY, event.bid_ticks), (Side.SELL, event.ask_ticks)):
            new = NewOrder(
                symbol=event.instrument,
                side=side,
                type="LIMIT",
                qty_lots=20,
                price_ticks=price,
                tif="GTX",
                client_id=f"q{quotes}{side.name}",
            )
            assert code_of(exchange.place, account, new, now_ns) in {0, -5022, -2019, -2027}
    return exchange, account


def test_a_quoter_on_a_recorded_session_trades_and_its_account_adds_up(data_dir):
    exchange, account = quoting(data_dir, 30_000)
    (position,) = exchange.positions(account)
    assert len(account.fills) >= 50
    assert any(0 < order.filled_lots < order.qty_lots for order in account.orders.values()), (
        "partial fills too"
    )
    assert sum(fill.side * fill.qty_lots for fill in account.fills) == position.position_lots
    paid = sum(fill.realised_e8 - fill.fee_e8 for fill in account.fills)
    cash = sum(entry.amount_e8 for entry in account.cash)
    assert 100_000 * E8 + paid + cash == account.balances["USDT"]
    assert all(fill.maker for fill in account.fills), "post-only orders never take"


def test_a_recorded_session_gives_the_same_fills_twice(data_dir):
    first, second = (quoting(data_dir, 8_000)[1] for _ in range(2))
    assert list(first.fills) == list(second.fills)
    assert first.fills
