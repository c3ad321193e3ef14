"""Configuration and instrument facts into the core's settings: texts into ticks, lots and 10⁻⁸, against us.

Limits are rounded down. One that would round to nothing, or that the venue's own sizes make meaningless, is
refused in one line: a limit that cannot be expressed does not limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from holdfast.config.errors import ConfigError
from holdfast.config.fingerprint import fingerprint
from holdfast.config.firm import within_share
from holdfast.config.hours import week_spans
from holdfast.config.market_halts import read_halts
from holdfast.config.schema import AccountLimitsSection, Config, InstrumentLimitsSection
from holdfast.config.toml import dotted
from holdfast.config.values import Amount
from holdfast.vocab.governed import ACCOUNT_ROWS, INSTRUMENT_ROWS, Group, LimitRow
from holdfast.vocab.holds import HoldLevel, Scope
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import (
    AccountLimits,
    Criteria,
    FlowRules,
    GroupFlowRules,
    InstrumentLimits,
    LimitCap,
    Settings,
    StrategyLimits,
    StrategySetup,
    Timings,
)
from holdfast.vocab.reference import Hours, ReferenceRules
from holdfast.vocab.units import E8, text_of

INTEGER_MAX = (1 << 63) - 1
DAY_MS = 86_400_000
_WHEN_STALE = {
    "refuse": HoldLevel.NONE,
    "reduce_only": HoldLevel.REDUCE_ONLY,
    "halted": HoldLevel.HALTED,
}


def _hours(config: Config) -> tuple[Hours, ...]:
    of = [(Scope(instrument=name), texts) for name, texts in config.hours.instrument.items()]
    of += [(Scope(strategy=name), texts) for name, texts in config.hours.strategy.items()]
    return tuple(Hours(scope=scope, spans=week_spans(texts)) for scope, texts in of)


def environment_of(config: Config) -> str:
    """What a state directory belongs to beside its account: a place's address may change, what it is may not."""
    return f"{config.account.venue} {config.venue.kind.value}"


def resolve(config: Config, specs: Sequence[InstrumentSpec]) -> Settings:
    """The settings that the core decides by.

    Errors: ConfigError, one line for each limit that these instruments cannot express.
    """
    return _Resolver(config, specs, where=config.path or "configuration", root=("limits",)).settings()


class _Resolver:
    """``root``: where the limits begin in the file that ``where`` names."""

    def __init__(
        self, config: Config, specs: Sequence[InstrumentSpec], *, where: str, root: tuple[str, ...]
    ) -> None:
        self._config = config
        self._specs = {spec.instrument: spec for spec in specs}
        self._where = where
        self._root = root
        self._problems: list[str] = []

    def settings(self) -> Settings:
        config = self._config
        for name in config.limits.instrument:
            self._known(name)
        if self._problems:
            raise ConfigError(*self._problems)
        settings = Settings(
            account=config.account.name,
            venue=config.account.venue,
            settle_asset=config.account.settle_asset,
            arm_auto=config.account.arm == "auto",
            config_hash=fingerprint(config),
            account_uid=config.account.uid,
            environment=environment_of(config),
            day_begins_utc_hour=config.account.day_begins_utc_hour,
            account_limits=self._account(config.limits.account),
            instrument_limits=tuple(
                self._instrument(name, limits) for name, limits in config.limits.instrument.items()
            ),
            strategy_limits=tuple(
                self._strategy(strategy, instrument)
                for strategy, pairs in config.limits.strategy.items()
                for instrument in pairs
            ),
            flows=tuple(
                FlowRules(
                    instrument=name,
                    window_ms=flow.window.ms,
                    same_side_e8_max=self._e8(flow.same_side_max, ("flow", name, "same_side_max")),
                    walk_ppm_max=flow.walk_max.ppm,
                )
                for name, flow in config.flow.items()
            ),
            group_flows=tuple(
                GroupFlowRules(
                    group=name,
                    window_ms=flow.window.ms,
                    same_side_e8_max=self._e8(flow.same_side_max, ("flow_group", name, "same_side_max")),
                )
                for name, flow in config.flow_group.items()
            ),
            criteria=tuple(self._criteria(name) for name in config.criteria),
            timings=self._timings(),
            caps=self._caps(),
            reference=ReferenceRules(
                age_ms_max=config.reference.age_days_max * DAY_MS,
                when_stale=_WHEN_STALE[config.reference.when_stale],
            ),
            hours=_hours(config),
            benchmark=config.market_halts.benchmark,
            market_halts=read_halts(config.market_halts.levels),
            instruments=tuple(self._specs[name] for name in config.limits.instrument),
            strategies=tuple(
                StrategySetup(strategy=name, instruments=tuple(section.instruments))
                for name, section in config.strategy.items()
            ),
        )
        for limits in settings.instrument_limits:
            self._clip(limits)
        if self._problems:
            raise ConfigError(*self._problems)
        return settings

    def _known(self, name: str) -> None:
        key = ("limits", "instrument", name)
        spec = self._specs.get(name)
        if spec is None:
            some = ", ".join(sorted(self._specs)[:5])
            self._problem(
                key, f"{self._config.account.venue} has no instrument {name} (it has {some or 'none'})"
            )
        elif spec.settle_asset != self._config.account.settle_asset:
            self._problem(
                key, f"settles in {spec.settle_asset}; the account in {self._config.account.settle_asset}"
            )

    def _caps(self) -> tuple[LimitCap, ...]:
        """The hard caps of what is traded, counted as the limits are."""
        caps = self._config.caps
        if caps is None:
            return ()
        read = _Resolver(
            self._config, list(self._specs.values()), where=self._config.paths.caps_file, root=()
        )
        share = self._config.firm_share
        account = caps.account if share is None else within_share(caps.account, share)
        groups: list[tuple[str, Group, tuple[LimitRow, ...]]] = [
            ("account", read._account(account), ACCOUNT_ROWS)
        ]
        for name in self._config.limits.instrument:
            cap = read._instrument(name, caps.instrument[name])
            groups.append((f"instrument.{name}", cap, INSTRUMENT_ROWS))
        self._problems += read._problems
        return tuple(
            LimitCap(name=f"{prefix}.{row.key}", value=getattr(group, row.field))
            for prefix, group, rows in groups
            for row in rows
        )

    def _account(self, limits: AccountLimitsSection) -> AccountLimits:
        return AccountLimits(
            gross_notional_e8_max=self._e8(
                limits.gross_notional_max, (*self._root, "account", "gross_notional_max")
            ),
            leverage_ppm_max=limits.leverage_max.ppm,
            leverage_venue=self._config.venue.leverage,
            open_orders_max=limits.open_orders_max,
            orders_per_s_refuse=limits.orders_per_s_refuse,
            orders_per_s_kill=limits.orders_per_s_kill,
            drawdown_warning_ppm=limits.drawdown_warning.ppm,
            drawdown_release_ppm=limits.drawdown_release.ppm,
            drawdown_breaker_ppm=limits.drawdown_breaker.ppm,
            breaker_cooldown_ms=limits.breaker_cooldown.ms,
            breakers_per_day_max=limits.breakers_per_day_max,
            orders_per_day_max=limits.orders_per_day_max,
            cancels_per_day_max=limits.cancels_per_day_max,
            fills_per_day_max=limits.fills_per_day_max,
            traded_e8_per_day_max=self._e8(
                limits.traded_per_day_max, (*self._root, "account", "traded_per_day_max")
            ),
            crash_share_ppm=limits.crash_share.ppm,
            recover_cooling_ms=limits.recover_cooling.ms,
            net_notional_e8_max=self._e8(
                limits.net_notional_max, (*self._root, "account", "net_notional_max")
            ),
            group_share_ppm_max=limits.group_share_max.ppm,
        )

    def _instrument(self, name: str, limits: InstrumentLimitsSection) -> InstrumentLimits:
        key, spec = (*self._root, "instrument", name), self._specs[name]
        return InstrumentLimits(
            instrument=name,
            order_lots_max=self._lots(spec, limits.order_max, (*key, "order_max")),
            order_notional_e8_max=self._notional(spec, limits, key),
            position_lots_max=self._lots(spec, limits.position_max, (*key, "position_max")),
            collar_ppm=limits.collar.ppm,
            spread_ppm_max=limits.spread_max.ppm,
            jump_ppm_max=limits.jump_max.ppm,
            flatten_collar_ppm=limits.flatten_collar.ppm,
            flatten_clip_lots=self._lots(spec, limits.flatten_clip, (*key, "flatten_clip")),
            swing_ppm_max=limits.swing_max.ppm,
            swing_window_ms=limits.swing_window.ms,
            orders_per_s_refuse=limits.orders_per_s_refuse,
            orders_per_s_halt=limits.orders_per_s_halt,
            equity_share_ppm_max=limits.equity_share_max.ppm,
            adv_share_ppm_max=limits.adv_share_max.ppm,
            depth_ppm_max=limits.depth_max.ppm,
            refused_ppm_max=limits.refused_max.ppm,
        )

    def _clip(self, limits: InstrumentLimits) -> None:
        spec = self._specs[limits.instrument]
        if limits.flatten_clip_lots > spec.qty_lots_max:
            largest = text_of(spec.qty_lots_max, Decimal(spec.lot))
            key = (*self._root, "instrument", limits.instrument, "flatten_clip")
            self._problem(key, f"larger than the venue's largest order ({largest})")

    def _notional(self, spec: InstrumentSpec, limits: InstrumentLimitsSection, key: tuple[str, ...]) -> int:
        e8 = self._e8(limits.order_notional_max, (*key, "order_notional_max"))
        if 0 < e8 < spec.notional_e8_min:
            least = text_of(spec.notional_e8_min, Decimal(1) / E8)
            self._problem(
                (*key, "order_notional_max"),
                f"below the venue's smallest order ({least} {spec.settle_asset}): nothing could be sent",
            )
        return e8

    def _strategy(self, strategy: str, instrument: str) -> StrategyLimits:
        key = (*self._root, "strategy", strategy, instrument)
        limits, spec = self._config.limits.strategy[strategy][instrument], self._specs[instrument]
        return StrategyLimits(
            strategy=strategy,
            instrument=instrument,
            order_lots_max=self._lots(spec, limits.order_max, (*key, "order_max")),
            position_lots_max=self._lots(spec, limits.position_max, (*key, "position_max")),
            churn_round_trips_max=limits.churn_round_trips_max,
            churn_cost_e8_max=self._e8(limits.churn_cost_max, (*key, "churn_cost_max")),
            churn_window_ms=limits.churn_window.ms,
            slippage_ppm_max=limits.slippage_max.ppm,
            orders_per_s_refuse=limits.orders_per_s_refuse,
            orders_per_s_halt=limits.orders_per_s_halt,
        )

    def _criteria(self, strategy: str) -> Criteria:
        key, criteria = ("criteria", strategy), self._config.criteria[strategy]
        return Criteria(
            strategy=strategy,
            day_loss_e8_max=self._e8(criteria.day_loss_max, (*key, "day_loss_max")),
            drawdown_e8_max=self._e8(criteria.drawdown_max, (*key, "drawdown_max")),
            fills_ppm_min=criteria.fill_share_min.ppm,
            slippage_e8_max=self._e8(criteria.slippage_cost_max, (*key, "slippage_cost_max")),
            rejects_ppm_max=criteria.reject_share_max.ppm,
            orders_min=criteria.orders_min,
            window_ms=criteria.window.ms,
            intended_ppm_max=criteria.over_intended_max.ppm,
        )

    def _timings(self) -> Timings:
        timings = self._config.timings
        return Timings(
            quote_age_ms_max=timings.quote_age_max.ms,
            feed_dead_ms=timings.feed_dead.ms,
            ack_timeout_ms=timings.ack_timeout.ms,
            receive_window_ms=timings.receive_window.ms,
            query_retry_ms=timings.query_retry.ms,
            reconcile_orders_ms=timings.reconcile_orders.ms,
            reconcile_positions_ms=timings.reconcile_positions.ms,
            position_age_ms_reduce=timings.position_age_reduce.ms,
            position_age_ms_halt=timings.position_age_halt.ms,
            clock_interval_ms=timings.clock_interval.ms,
            clock_offset_ms_max=timings.clock_offset_max.ms,
            deadman_ms=timings.deadman.ms,
            equity_interval_ms=timings.equity_interval.ms,
            duplicate_window_ms=timings.duplicate_window.ms,
            flatten_read_gap_ms=timings.flatten_read_gap.ms,
            flatten_retry_ms=timings.flatten_retry.ms,
            hold_clear_ms=timings.hold_clear.ms,
        )

    def _lots(self, spec: InstrumentSpec, amount: Amount, key: tuple[str, ...]) -> int:
        """Whole lots that fit into the amount; at least the venue's smallest order."""
        lots = self._floor(amount, unit=Decimal(spec.lot), asset=spec.base_asset, key=key)
        least = max(1, spec.qty_lots_min)
        if lots < least:
            smallest = text_of(least, Decimal(spec.lot))
            self._problem(
                key,
                f"{amount} is below the venue's smallest size ({smallest} {spec.base_asset}): nothing could be sent",
            )
        return lots

    def _e8(self, amount: Amount, key: tuple[str, ...]) -> int:
        e8 = self._floor(amount, unit=Decimal(1) / E8, asset=self._config.account.settle_asset, key=key)
        if e8 < 1:
            self._problem(key, f"{amount} is below 0.00000001")
        return e8

    def _floor(self, amount: Amount, *, unit: Decimal, asset: str, key: tuple[str, ...]) -> int:
        if amount.unit and amount.unit != asset:
            self._problem(key, f"expected an amount of {asset}, got {amount}")
        units = int((amount.number / unit).to_integral_value(rounding=ROUND_FLOOR))
        if units > INTEGER_MAX:
            self._problem(key, f"{amount} is too large to count exactly")
            return INTEGER_MAX
        return units

    def _problem(self, key: tuple[str, ...], what: str) -> None:
        self._problems.append(f"{self._where}: {dotted(key)}: {what}")
