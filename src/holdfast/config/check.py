"""What must hold between the keys of a configuration, beyond each one's own type."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Final
from urllib.parse import urlsplit

from holdfast.config.hours import BadHours, week_spans
from holdfast.config.market_halts import read_halts
from holdfast.config.schema import (
    BackupFeed,
    Config,
    InstrumentLimitsSection,
    StrategyLimitsSection,
    VenueKind,
)
from holdfast.config.toml import Document, typed_name
from holdfast.config.values import Amount, BadValue, Duration, Ratio
from holdfast.vocab.governed import CHURN_ROUND_TRIPS_MOST, PER_DAY_MOST
from holdfast.vocab.units import PPM

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
INSTRUMENTS_MAX: Final = 500
BACKUPS_MAX: Final = 7
LOOK_MIN: Final = Duration(5_000)
CHURN_WINDOW_MIN: Final = Duration(1_000)
FLOW_WINDOW_MIN: Final = Duration(100)
REFERENCE_DAYS_MAX: Final = 366
SWING_WINDOW_MIN: Final = Duration(2_000)  # looked at every quarter of a second
DURATIONS_MAX: Final = {
    ("timings", "feed_dead"): (Duration(600_000), "a market that nobody sees is not one to trade in"),
    ("timings", "ack_timeout"): (Duration(30_000), "so long nobody asks what became of an order"),
    ("timings", "query_retry"): (Duration(30_000), "so long an UNKNOWN order is not asked after"),
    ("timings", "reconcile_orders"): (Duration(300_000), "so long a foreign order goes unseen"),
    ("timings", "position_age_halt"): (Duration(600_000), "so long it trades on a position nobody confirms"),
    ("timings", "clock_interval"): (Duration(600_000), "a clock drifts, and ages are told by it"),
    ("timings", "clock_offset_max"): (Duration(10_000), "further apart, no age and no stamp means anything"),
    ("timings", "deadman"): (Duration(600_000), "so long the orders of a dead bot rest"),
    ("timings", "equity_interval"): (
        Duration(60_000),
        "so long drawdown and loss of the day are not looked at",
    ),
    ("timings", "duplicate_window"): (Duration(60_000), "it would refuse what is meant"),
    ("timings", "flatten_read_gap"): (Duration(60_000), "so long nobody can say flat"),
    ("timings", "flatten_retry"): (Duration(60_000), "so long an exit stands still"),
    ("timings", "hold_clear"): (Duration(3_600_000), "longer is a person's decision"),
    ("timings", "lease_ttl"): (
        Duration(10_000),
        "so long a frozen process still sends what it decided before",
    ),
    ("dead_switch", "hung_after"): (Duration(60_000), "so long orders rest that no loop watches"),
    ("watchdog", "dead_after"): (Duration(60_000), "so long the orders of a dead bot rest"),
    ("watchdog", "stalled_after"): (Duration(600_000), "so long a bot without its venue is nobody's concern"),
    ("watchdog", "venue_look"): (Duration(600_000), "so long it may be cut off itself and not know"),
    ("watchdog", "escalate_after"): (Duration(600_000), "so long nobody hears that it did not get flat"),
    ("feeds", "dead_after"): (Duration(600_000), "so long no other feed takes over"),
    ("feeds", "back_after"): (Duration(3_600_000), "so long the preferred feed would be no feed"),
}
"""The most that a time may be, and why: set beyond it, what it guards is as good as off. Shorter ones that another of
these bounds (``quote_age_max`` by ``feed_dead``) have no row."""
_HALF_PPM: Final = PPM // 2
_HTTP: Final = ("http", "https")
_WS: Final = ("ws", "wss")
_CLASS: Final = re.compile(r"(?:[^:]+\.py|[A-Za-z_][\w.]*):[A-Za-z_]\w*")


def check(config: Config, document: Document) -> None:
    """Note in the document every contradiction and every number out of range."""
    _account(config, document)
    _venue(config, document)
    _account_limits(config, document)
    _instruments(config, document)
    _timings(config, document)
    _longest(config, document)
    _strategies(config, document)
    _criteria(config, document)
    _flow(config, document)
    _reference(config, document)
    _serve(config, document)
    _paths(config, document)
    _dead_switches(config, document)
    if "quotes" not in config.feed.streams or len(set(config.feed.streams)) != len(config.feed.streams):
        document.problem(
            ("feed", "streams"), "expected quotes (nothing is priced without them), each stream once"
        )
    _feeds(config, document)
    _equities(config, document)


def _feeds(config: Config, document: Document) -> None:
    feeds = config.feeds
    if feeds is None:
        return
    for name in ("dead_after", "too_old_after", "back_after"):
        _above_zero(document, ("feeds", name), getattr(feeds, name))
    if feeds.too_old_after.ms > feeds.dead_after.ms:
        document.problem(
            ("feeds", "too_old_after"),
            f"expected at most dead_after ({feeds.dead_after}), got {feeds.too_old_after}",
        )
    if not 0 < len(feeds.backup) <= BACKUPS_MAX:
        document.problem(("feeds", "backup"), f"expected 1 to {BACKUPS_MAX} backups, got {len(feeds.backup)}")
    for name, backup in feeds.backup.items():
        _backup(config, document, name, backup)


def _backup(config: Config, document: Document, name: str, backup: BackupFeed) -> None:
    key = ("feeds", "backup", name)
    ours = config.limits.instrument
    if re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name) is None or name in {"binance", config.account.venue}:
        document.problem(
            key, "expected a name of lower case letters, digits, _ or -, and not the primary feed's"
        )
    if backup.source == "binance":
        if config.account.venue != "binanceusdm" or config.feed.source != "binance":
            document.problem((*key, "source"), "expected ccxt: the account's own feed is not binance's")
        if backup.venue or backup.rest_url:
            document.problem(key, "venue and rest_url are for ccxt")
        if any(there != here for here, there in backup.instruments.items()):
            document.problem(
                (*key, "instruments"), "expected the same names on both sides: it is the same venue"
            )
    elif not backup.venue:
        document.problem((*key, "venue"), "expected an exchange id that ccxt knows")
    elif config.account.venue == "binanceusdm" and not backup.instruments:
        document.problem((*key, "instruments"), 'expected ccxt\'s symbols, such as BTCUSDT = "BTC/USDT:USDT"')
    for field, url, allowed in (("url", backup.url, _WS), ("rest_url", backup.rest_url, _HTTP)):
        if url:
            _sealed(document, (*key, field), *_address(document, (*key, field), url, allowed), allowed)
    for here in backup.instruments:
        if here not in ours:
            document.problem((*key, "instruments"), f"{here} has no limits: it is not traded")


def _account(config: Config, document: Document) -> None:
    account, kind = config.account, config.venue.kind
    for key, value in (("name", account.name), ("venue", account.venue)):
        if re.fullmatch(r"[A-Za-z0-9_-]{1,32}", value) is None:
            document.problem(
                ("account", key), f"expected 1 to 32 letters, digits, _ or -, got {typed_name(value)}"
            )
    if re.fullmatch(r"[A-Za-z0-9]{1,20}", account.settle_asset) is None:
        document.problem(
            ("account", "settle_asset"),
            f"expected an asset such as USDT, got {typed_name(account.settle_asset)}",
        )
    if not 0 <= account.day_begins_utc_hour <= 23:
        document.problem(
            ("account", "day_begins_utc_hour"), f"expected 0 to 23, got {account.day_begins_utc_hour}"
        )
    if account.uid and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", account.uid) is None:
        document.problem(
            ("account", "uid"), "expected the venue's account number, up to 64 letters and digits"
        )
    if account.arm == "auto" and kind not in {VenueKind.SIMULATED, VenueKind.PAPER}:
        document.problem(
            ("account", "arm"),
            f'a {kind.value} venue is armed by a person: expected "person" ("auto" is for simulated and paper)',
        )
    if kind is VenueKind.LIVE and not account.uid:
        document.problem(
            ("account", "uid"), "missing: a live account is pinned by the venue's account number"
        )
    _keys(config, document)


def _keys(config: Config, document: Document) -> None:
    account = config.account
    named = [bool(account.key_file), bool(account.key_env or account.secret_env)]
    if all(named):
        document.problem(
            ("account", "key_file"), "two places for the key: expected key_file, or key_env and secret_env"
        )
    if bool(account.key_env) != bool(account.secret_env):
        present, missing = ("key_env", "secret_env") if account.key_env else ("secret_env", "key_env")
        document.problem(("account", missing), f"missing: {present} names only half of a key")
    if not any(named) and config.venue.kind is not VenueKind.PAPER:
        document.problem(("account", "key_file"), "missing: expected key_file, or key_env and secret_env")
    for key in ("key_env", "secret_env"):
        value = getattr(account, key)
        # Never shown: whoever pastes a key here instead of a name must not find it in a log.
        if value and re.fullmatch(r"[A-Z][A-Z0-9_]{0,62}", value) is None:
            document.problem(
                ("account", key), "expected the name of an environment variable, such as HOLDFAST_KEY"
            )


def _venue(config: Config, document: Document) -> None:
    venue = config.venue
    if not 1 <= venue.leverage <= 125:
        document.problem(("venue", "leverage"), f"expected 1 to 125, got {venue.leverage}")
    schemes = {"rest_url": _HTTP, "stream_url": _WS, "control_url": _HTTP}
    for key, allowed in schemes.items():
        url = getattr(venue, key)
        if not url:
            if venue.kind is VenueKind.SIMULATED and key != "control_url":
                document.problem(("venue", key), "missing: a simulated venue is named by its addresses")
            continue
        scheme, host = _address(document, ("venue", key), url, allowed)
        if not host:
            continue
        if venue.kind is VenueKind.LIVE:
            document.problem(("venue", key), "a live venue's addresses are its own: expected no such key")
        elif (venue.kind is VenueKind.SIMULATED or key == "control_url") and host not in LOOPBACK:
            # A signed request to the wrong host is a leaked key.
            document.problem(
                ("venue", key), f"a simulated venue is on this machine: expected 127.0.0.1, got {host}"
            )
        else:
            _sealed(document, ("venue", key), scheme, host, allowed)
    if venue.control_url and venue.kind is not VenueKind.SIMULATED:
        document.problem(("venue", "control_url"), "only a simulated venue has a control port")


def _address(document: Document, key: tuple[str, ...], url: str, allowed: tuple[str, str]) -> tuple[str, str]:
    """(scheme, host) of an address; the host is empty where it is none. ``allowed``: a scheme, and it over TLS."""
    scheme, host, fault = _split(url)
    if fault or scheme not in allowed or not host:
        document.problem(key, f"expected an address {allowed[0]}://host:port, got {typed_name(url)}")
        return scheme, ""
    return scheme, host


def _sealed(
    document: Document, key: tuple[str, ...], scheme: str, host: str, allowed: tuple[str, str]
) -> None:
    if host and host not in LOOPBACK and scheme == allowed[0]:
        document.problem(key, f"expected {allowed[1]}:// for a host that is not this machine")


def _split(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return "", "", str(error)
    return parts.scheme, parts.hostname or "", "credentials" if parts.username or parts.password else ""


def _account_limits(config: Config, document: Document) -> None:
    limits, key = config.limits.account, ("limits", "account")
    _whole(document, (*key, "open_orders_max"), limits.open_orders_max, up_to=10_000)
    _whole(document, (*key, "orders_per_s_refuse"), limits.orders_per_s_refuse, up_to=10_000)
    _whole(document, (*key, "orders_per_s_kill"), limits.orders_per_s_kill, up_to=10_000)
    _whole(document, (*key, "breakers_per_day_max"), limits.breakers_per_day_max, up_to=100)
    if limits.orders_per_s_refuse >= limits.orders_per_s_kill:
        document.problem(
            (*key, "orders_per_s_refuse"),
            f"expected less than orders_per_s_kill ({limits.orders_per_s_kill}), got {limits.orders_per_s_refuse}",
        )
    ladder = (
        ("drawdown_release", limits.drawdown_release, "drawdown_warning", limits.drawdown_warning),
        ("drawdown_warning", limits.drawdown_warning, "drawdown_breaker", limits.drawdown_breaker),
    )
    for lower_key, lower, upper_key, upper in ladder:
        if lower.ppm >= upper.ppm:
            document.problem((*key, lower_key), f"expected less than {upper_key} ({upper}), got {lower}")
    for name in ("gross_notional_max", "net_notional_max", "traded_per_day_max"):
        _unit(document, (*key, name), getattr(limits, name), config.account.settle_asset)
    for name in ("orders_per_day_max", "cancels_per_day_max", "fills_per_day_max"):
        _whole(document, (*key, name), getattr(limits, name), up_to=PER_DAY_MOST)
    for name in ("breaker_cooldown", "recover_cooling"):
        _above_zero(document, (*key, name), getattr(limits, name))


def _instruments(config: Config, document: Document) -> None:
    if not 1 <= len(config.limits.instrument) <= INSTRUMENTS_MAX:
        document.problem(
            ("limits", "instrument"),
            f"expected 1 to {INSTRUMENTS_MAX} instruments, got {len(config.limits.instrument)}",
        )
    for name, limits in config.limits.instrument.items():
        key = ("limits", "instrument", name)
        _unit(document, (*key, "order_notional_max"), limits.order_notional_max, config.account.settle_asset)
        _base_units(config, document, key, name, limits, ("order_max", "position_max", "flatten_clip"))
        _half_at_most(document, (*key, "flatten_collar"), limits.flatten_collar)
        _half_at_most(document, (*key, "collar"), limits.collar)
        _at_least(document, (*key, "swing_window"), limits.swing_window, SWING_WINDOW_MIN)
        _rates(document, key, limits)


def _rates(
    document: Document, key: tuple[str, ...], limits: InstrumentLimitsSection | StrategyLimitsSection
) -> None:
    for name in ("orders_per_s_refuse", "orders_per_s_halt"):
        _whole(document, (*key, name), getattr(limits, name), up_to=10_000)
    if limits.orders_per_s_refuse >= limits.orders_per_s_halt:
        document.problem(
            (*key, "orders_per_s_refuse"),
            f"expected less than orders_per_s_halt ({limits.orders_per_s_halt}), got {limits.orders_per_s_refuse}",
        )


def _timings(config: Config, document: Document) -> None:
    timings = config.timings
    for name in timings.__struct_fields__:
        if name != "deadman":
            _above_zero(document, ("timings", name), getattr(timings, name))
    orders = (
        ("quote_age_max", "feed_dead", "quotes go stale before their feed counts as dead"),
        ("position_age_reduce", "position_age_halt", "reduce-only comes before the halt"),
        ("reconcile_positions", "position_age_reduce", "else every position ages out between two looks"),
        ("receive_window", "lease_ttl", "else the venue takes an order of ours after the lease is lost"),
    )
    for lower, upper, why in orders:
        if getattr(timings, lower).ms > getattr(timings, upper).ms:
            document.problem(
                ("timings", lower),
                f"expected at most {upper} ({getattr(timings, upper)}), got {getattr(timings, lower)}: {why}",
            )
    if 0 < timings.deadman.ms < 1_000:
        document.problem(
            ("timings", "deadman"), f'expected "0s" (none) or at least 1s, got {timings.deadman}'
        )


def _longest(config: Config, document: Document) -> None:
    """No time is so long that it turns off what it is for."""
    for key, (most, why) in DURATIONS_MAX.items():
        section = getattr(config, key[0])
        value = getattr(section, key[1]) if section is not None else most
        if value.ms > most.ms:
            document.problem(key, f"expected at most {most}, got {value}: {why}")


def _strategies(config: Config, document: Document) -> None:
    for name, strategy in config.strategy.items():
        key = ("strategy", name)
        if _CLASS.fullmatch(strategy.class_path) is None:
            document.problem(
                (*key, "class"),
                f'expected "file.py:Class" or "module:Class", got {typed_name(strategy.class_path)}',
            )
        if strategy.sha256 and re.fullmatch(r"[0-9a-f]{64}", strategy.sha256) is None:
            document.problem((*key, "sha256"), "expected 64 hexadecimal digits")
        if config.venue.kind is VenueKind.LIVE and not strategy.sha256:
            document.problem(
                (*key, "sha256"), "missing: a live account loads a strategy only by the hash of its file"
            )
        if not strategy.instruments:
            document.problem((*key, "instruments"), "expected at least one instrument")
        if len(set(strategy.instruments)) != len(strategy.instruments):
            document.problem((*key, "instruments"), "names an instrument twice")
        for instrument in strategy.instruments:
            if instrument not in config.limits.instrument:
                document.problem(
                    (*key, "instruments"), f"{instrument} has no [limits.instrument.{instrument}]"
                )
            if instrument not in config.limits.strategy.get(name, {}):
                document.problem(
                    (*key, "instruments"),
                    f"{instrument} has no [limits.strategy.{name}.{instrument}]: a pair without limits may not trade",
                )
    for name, pairs in config.limits.strategy.items():
        if name not in config.strategy:
            document.problem(("limits", "strategy", name), f"there is no [strategy.{name}]")
            continue
        for instrument, limits in pairs.items():
            pair = ("limits", "strategy", name, instrument)
            if instrument not in config.strategy[name].instruments:
                document.problem(pair, f"strategy {name} does not list {instrument} among its instruments")
            count = limits.churn_round_trips_max
            _whole(document, (*pair, "churn_round_trips_max"), count, up_to=CHURN_ROUND_TRIPS_MOST)
            _unit(document, (*pair, "churn_cost_max"), limits.churn_cost_max, config.account.settle_asset)
            _base_units(config, document, pair, instrument, limits, ("order_max", "position_max"))
            _at_least(document, (*pair, "churn_window"), limits.churn_window, CHURN_WINDOW_MIN)
            _half_at_most(document, (*pair, "slippage_max"), limits.slippage_max)
            _rates(document, pair, limits)


def _criteria(config: Config, document: Document) -> None:
    for name, criteria in config.criteria.items():
        key = ("criteria", name)
        if name not in config.strategy:
            document.problem(key, f"there is no [strategy.{name}]")
        for money in ("day_loss_max", "drawdown_max", "slippage_cost_max"):
            _unit(document, (*key, money), getattr(criteria, money), config.account.settle_asset)
        _whole(document, (*key, "orders_min"), criteria.orders_min, up_to=10_000)
        _at_least(document, (*key, "window"), criteria.window, CHURN_WINDOW_MIN)
        if criteria.over_intended_max.ppm < PPM:
            document.problem(
                (*key, "over_intended_max"), f"expected at least 1x, got {criteria.over_intended_max}"
            )


def _flow(config: Config, document: Document) -> None:
    for name, flow in config.flow.items():
        key = ("flow", name)
        if name not in config.limits.instrument:
            document.problem(key, f"there is no [limits.instrument.{name}]")
        _unit(document, (*key, "same_side_max"), flow.same_side_max, config.account.settle_asset)
        _at_least(document, (*key, "window"), flow.window, FLOW_WINDOW_MIN)
        _half_at_most(document, (*key, "walk_max"), flow.walk_max)
    for name, group_flow in config.flow_group.items():
        key = ("flow_group", name)
        _unit(document, (*key, "same_side_max"), group_flow.same_side_max, config.account.settle_asset)
        _at_least(document, (*key, "window"), group_flow.window, FLOW_WINDOW_MIN)


def _reference(config: Config, document: Document) -> None:
    _whole(document, ("reference", "age_days_max"), config.reference.age_days_max, up_to=REFERENCE_DAYS_MAX)
    halts = config.market_halts
    if halts.benchmark not in config.limits.instrument:
        document.problem(
            ("market_halts", "benchmark"),
            f"{halts.benchmark} has no [limits.instrument.{halts.benchmark}]: its price is not followed",
        )
    try:
        read_halts(halts.levels)
    except BadValue as error:
        document.problem(("market_halts", "levels"), str(error))
    for kind, named, known in (
        ("instrument", config.hours.instrument, config.limits.instrument),
        ("strategy", config.hours.strategy, config.strategy),
    ):
        for name, texts in named.items():
            if name not in known:
                document.problem(("hours", kind, name), f"there is no {kind} of this name")
            try:
                week_spans(texts)
            except BadHours as error:
                document.problem(("hours", kind, name), str(error))


def _serve(config: Config, document: Document) -> None:
    serve = config.serve
    _whole(document, ("serve", "port"), serve.port, up_to=65_535)
    if serve.host not in LOOPBACK and not (serve.public and serve.tls_cert and serve.tls_key):
        document.problem(
            ("serve", "host"),
            f"{serve.host} is not this machine: that needs public = true, tls_cert and tls_key",
        )
    if bool(serve.tls_cert) != bool(serve.tls_key):
        document.problem(("serve", "tls_cert"), "expected tls_cert and tls_key together")


def _dead_switches(config: Config, document: Document) -> None:
    inside, outside = config.dead_switch, config.watchdog
    _after_lease(config, document, ("dead_switch", "hung_after"), inside.hung_after)
    if outside is None:
        if "watchdog" in config.up.start:
            document.problem(("up", "start"), "names the watchdog, and there is no [watchdog]")
        return
    if inside.policy == "flatten":
        document.problem(
            ("dead_switch", "policy"),
            'with a [watchdog] two would close one position: expected "cancel" or "trip"',
        )
    _after_lease(config, document, ("watchdog", "dead_after"), outside.dead_after)
    _above_zero(document, ("watchdog", "escalate_after"), outside.escalate_after)
    _at_least(
        document,
        ("watchdog", "venue_look"),
        outside.venue_look,
        LOOK_MIN,
        why=": a look weighs, and the bot shares this address",
    )
    if outside.stalled_after.ms < 2 * config.timings.reconcile_orders.ms:
        document.problem(
            ("watchdog", "stalled_after"),
            f"expected at least twice reconcile_orders ({config.timings.reconcile_orders}), got"
            f" {outside.stalled_after}: else it pages between two questions to the venue",
        )
    _watchdog_key(config, document)


def _watchdog_key(config: Config, document: Document) -> None:
    outside = config.watchdog
    if outside is None or outside.policy == "page":
        return
    if not outside.key_file:
        document.problem(
            ("watchdog", "key_file"), f'missing: policy "{outside.policy}" needs a key of its own'
        )
    elif outside.key_file == config.account.key_file:
        document.problem(("watchdog", "key_file"), "is the bot's own: expected a key of the watchdog's own")
    if not outside.key_may:
        document.problem(("watchdog", "key_may"), 'missing: expected "cancel" or "trade"')
    elif outside.policy == "flatten" and outside.key_may != "trade":
        document.problem(
            ("watchdog", "key_may"),
            'a key that may only cancel cannot flatten: expected "trade", or policy = "cancel"',
        )


def _after_lease(config: Config, document: Document, key: tuple[str, ...], value: Duration) -> None:
    if value.ms < config.timings.lease_ttl.ms:
        document.problem(
            key,
            f"expected at least lease_ttl ({config.timings.lease_ttl}), got {value}: before that it may still send",
        )


def _paths(config: Config, document: Document) -> None:
    _named(document, ("paths", "state_dir"), config.paths.state_dir, "a directory")
    _named(document, ("paths", "caps_file"), config.paths.caps_file, "a file")
    _named(document, ("reference", "file"), config.reference.file, "a file")
    for section, key, value in (
        ("paths", "state_dir", config.paths.state_dir),
        ("paths", "operators_file", config.paths.operators_file),
        ("paths", "caps_file", config.paths.caps_file),
        ("paths", "firm_file", config.paths.firm_file),
        ("reference", "file", config.reference.file),
        ("account", "key_file", config.account.key_file),
        ("watchdog", "key_file", config.watchdog.key_file if config.watchdog else ""),
        ("watchdog", "webhook_file", config.watchdog.webhook_file if config.watchdog else ""),
    ):
        if "\0" in value or ".." in PurePath(value).parts:
            document.problem((section, key), f"expected a plain path without .., got {typed_name(value)}")


def _equities(config: Config, document: Document) -> None:
    section = config.equities
    if section is None:
        return
    if not section.files or "" in section.files:
        document.problem(("equities", "files"), "expected zips or directories of them")
    _named(document, ("equities", "factor_files"), section.factor_files, "a directory")
    _named(document, ("equities", "map_files"), section.map_files, "a directory")


def _named(document: Document, key: tuple[str, ...], value: str, what: str) -> None:
    if not value:
        document.problem(key, f"expected {what}, got an empty text")


def _whole(document: Document, key: tuple[str, ...], value: int, *, up_to: int) -> None:
    if not 1 <= value <= up_to:
        document.problem(key, f"expected 1 to {up_to}, got {value}")


def _above_zero(document: Document, key: tuple[str, ...], value: Duration) -> None:
    if value.ms <= 0:
        document.problem(key, f"expected more than zero, got {value}")


def _at_least(
    document: Document, key: tuple[str, ...], value: Duration, least: Duration, *, why: str = ""
) -> None:
    if value.ms < least.ms:
        document.problem(key, f"expected at least {least}, got {value}{why}")


def _half_at_most(document: Document, key: tuple[str, ...], value: Ratio) -> None:
    if value.ppm > _HALF_PPM:
        document.problem(key, f"expected at most 50%, got {value}")


def _base_units(
    config: Config,
    document: Document,
    key: tuple[str, ...],
    instrument: str,
    limits: object,
    names: Iterable[str],
) -> None:
    """Sizes are in the instrument's base asset, where its name tells that; the venue's own facts tell at the start."""
    base = base_in_name(instrument, settle_asset=config.account.settle_asset)
    for name in names if base else ():
        _unit(document, (*key, name), getattr(limits, name), base)


def base_in_name(instrument: str, *, settle_asset: str) -> str:
    """BTC of ``BTCUSDT`` and of ``BTC/USDT:USDT``; empty where a name does not say it."""
    base, slash, _ = instrument.partition("/")
    if slash:
        return base
    return instrument.removesuffix(settle_asset) if instrument.endswith(settle_asset) else ""


def _unit(document: Document, key: tuple[str, ...], value: Amount, asset: str) -> None:
    if value.unit and value.unit != asset:
        document.problem(key, f"expected an amount of {asset}, got {value}")
