"""What a simulated venue is configured with."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from holdfast.sim.rules import ExchangeConfig
from holdfast.vocab.instruments import InstrumentSpec

SourceKind = Literal["generated", "recorded", "binance_csv", "tardis_csv"]
Ending = Literal["stop", "loop", "generate"]


class AccountConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account of the venue and its only key. Fees in parts per million; balances as decimal texts."""

    name: str = "demo"
    api_key: str = "sim-key"
    secret: str = "sim-secret"  # noqa: S105 - opens a simulated account and nothing else
    uid: str = "1000001"
    balances: dict[str, str] = field(default_factory=lambda: {"USDT": "100000"})
    fee_maker_ppm: int = 200
    fee_taker_ppm: int = 500


class LimitsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rate limits, which exchangeInfo then tells. Windows are aligned to the venue's clock, as Binance's are.

    ``ban_after``: that many requests beyond the weight limit within one window earn a 418 for ``ban_s``, which
    doubles at each repetition up to ``ban_s_max``.
    """

    weight_per_minute: int = 2400
    orders_per_10s: int = 300
    orders_per_minute: int = 1200
    ban_after: int = 20
    ban_s: int = 120
    ban_s_max: int = 259_200
    ws_messages_per_s: int = 10
    ws_streams_max: int = 1024
    ws_backlog_bytes_max: int = 64 * 1024 * 1024


class SourceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where market data comes from: recordings, dumps, or the seeded generator (which needs no file)."""

    kind: SourceKind = "generated"
    paths: tuple[str, ...] = ()
    seed: int = 1
    at_end: Ending = "loop"


class SimConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The simulated venue as a server. ``instruments`` empty: those of the market source.

    ``speed``: market time per venue time; anything but 1 on a real clock is refused unless ``allow_fast`` says
    that the clients know. ``legacy_ws``: what the WebSocket URLs without /public, /market or /private do:
    serve all, or (after 2026-04-23) connect, acknowledge and stay silent on market and private streams.
    ``strict_routes``: a stream asked for on the wrong one of the three paths stays silent.
    ``user_latency_ms`` and ``reply_latency_ms``: how late user events and replies leave, at least.
    """

    accounts: tuple[AccountConfig, ...] = (AccountConfig(),)
    instruments: tuple[InstrumentSpec, ...] = ()
    exchange: ExchangeConfig = ExchangeConfig()
    source: SourceConfig = SourceConfig()
    limits: LimitsConfig = LimitsConfig()
    host: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    speed: float = 1.0
    allow_fast: bool = False
    legacy_ws: Literal["live", "mute"] = "live"
    strict_routes: bool = False
    user_latency_ms: int = 0
    reply_latency_ms: int = 0
    listen_key_minutes: int = 60
    socket_hours: int = 24
    ping_minutes: int = 3
    fault_seed: int = 1
    request_log_max: int = 500_000
    fills_max: int = 1_000_000
