"""Strategies: what users write, and what runs it."""

from holdfast.strategy.api import Books, Context, OpenOrder, OrderFact, Strategy, Wants
from holdfast.strategy.bars import Bar, BarBuilder, BarSource
from holdfast.strategy.host import StrategyHost
from holdfast.strategy.load import StrategyUnusable, load_strategy
from holdfast.strategy.seat import Hosted, HostEvent
from holdfast.strategy.timing import SlowCallback
from holdfast.strategy.warmup import NO_HISTORY, History, Wanted, history_from

__all__ = [
    "NO_HISTORY",
    "Bar",
    "BarBuilder",
    "BarSource",
    "Books",
    "Context",
    "History",
    "HostEvent",
    "Hosted",
    "OpenOrder",
    "OrderFact",
    "SlowCallback",
    "Strategy",
    "StrategyHost",
    "StrategyUnusable",
    "Wanted",
    "Wants",
    "history_from",
    "load_strategy",
]
