"""What ``holdfast init`` writes, and what the demonstration runs on: texts with a few places to fill."""

from __future__ import annotations

from string import Template
from typing import Final

CONFIG: Final = Template("""\
# Holdfast: one trading process, one account. Every key here is known and needed: an unknown one, or a missing limit
# or timing, stops the start with one line. `holdfast config check` reads this file and says what is wrong.
#
# Where a number comes from:
#   [P] a chapter on production trading systems and Knight Capital's 45 minutes
#   [A] a bot operator's account of losing sight of his bot for ten hours
#   [R] a risk sheet for the stages of a trading bot
#   [V] measured at the venue
#   [H] our own choice; the reason stands beside it
# They fit an account of 100,000 USDT. Change them for yours: nothing here is a recommendation.

[account]
name = "$account"
venue = "binanceusdm"          # any exchange id that ccxt knows
settle_asset = "USDT"
arm = "auto"                   # "auto" (simulated and paper venues only) or "person": holdfast arm
day_begins_utc_hour = 0        # [H] when the day of drawdown and breakers begins: at the venue's own midnight
uid = "$uid"                # the venue's account number: any other account cannot be armed
key_file = "keys.toml"         # api_key and secret, mode 0600; never in this file

[venue]
kind = "simulated"             # simulated, paper, testnet or live
rest_url = "$rest_url"         # holdfast sim; a live venue has no addresses here
stream_url = "$stream_url"
control_url = "$control_url"   # the simulator's ground truth
leverage = 2                   # lowered to this at the venue: most allow 20x unasked [A]

[feed]
source = "binance"             # binance: our own decoder; ccxt: every other venue
streams = ["quotes", "trades", "marks"]

[paths]
state_dir = "$state_dir"             # journal, market log, control socket, logs
operators_file = "operators.toml"
caps_file = "caps.toml"        # the hard caps: no command can pass them
# firm_file = "/etc/holdfast/firm.toml"  # caps over several accounts, each with its share

# --- limits -----------------------------------------------------------------------------------------------------------

[limits.account]
gross_notional_max = "150000 USDT"  # 1.5 times the account [P]
leverage_max = "1.5x"               # gross, at worst case, over equity [P]
open_orders_max = 40                # [H] two strategies, two instruments, two sides, with room for amends
orders_per_s_refuse = 80            # [H] asked for within a sliding second: refuse before it kills
orders_per_s_kill = 100             # Knight sent about that many for 45 minutes [P]
drawdown_warning = "5%"             # from the day's peak: sizes are halved, collars tighten [P]
drawdown_release = "3%"             # and that warning ends [P]
drawdown_breaker = "10%"            # cancel all, reduce only [P]
breaker_cooldown = "15min"          # before a person may reset it [P]
breakers_per_day_max = 2            # [H] the third in a day is the kill switch: it was no accident [P]
orders_per_day_max = 50000          # [H] orders and amends: one every two seconds, all day, round the clock
cancels_per_day_max = 50000         # [H] as many; over it no new order passes, and every cancel does
fills_per_day_max = 20000           # [H]
traded_per_day_max = "15000000 USDT"  # [H] the whole of gross_notional_max turned over a hundred times
crash_share = "50%"                 # [H] half of the instruments beyond their swing, one way: exits only, then a person
recover_cooling = "15min"           # leaving KILLED alone, without a second person [H] as long as the breaker
net_notional_max = "100000 USDT"    # [H] long less short: the account once
group_share_max = "40%"             # one group of the reference file, at worst case, over equity [P]

[limits.instrument.BTCUSDT]
order_max = "0.2 BTC"               # [H] a fat finger, not a strategy, sends more
order_notional_max = "12000 USDT"   # [H] 12 % of the account
position_max = "0.33 BTC"           # 20 % of the account at 60,000 [P]; open orders count in it
collar = "5%"                       # further from the middle is refused [P]
spread_max = "1%"                   # a wider quote is not a price [P]
jump_max = "5%"                     # [H] as the collar: a larger step between two quotes must be confirmed first
flatten_collar = "2%"               # [H] an exit pays up to this, not whatever it takes
flatten_clip = "0.1 BTC"            # [H] about what the touch holds on a quiet day
swing_max = "5%"                    # [H] as a band of limit up, limit down: beyond it sizes are halved there
swing_window = "5min"               # [H] as the window of that band
orders_per_s_refuse = 60            # [H] of all strategies there; the account's, less room for another instrument
orders_per_s_halt = 80              # [H] beyond it the instrument is halted before the account is killed
equity_share_max = "20%"            # at worst case, over equity [P]
adv_share_max = "10%"               # one order over the average daily volume [P]
depth_max = "20x"                   # [H] one order that takes at once over the size at the touch: more walks the book
refused_max = "20%"                 # [H] more of its market data refused within ten seconds: it is held

[limits.instrument.ETHUSDT]
order_max = "4 ETH"                 # as above
order_notional_max = "12000 USDT"
position_max = "8 ETH"              # 20 % of the account at 2,500 [P]
collar = "5%"
spread_max = "1%"
jump_max = "5%"
flatten_collar = "2%"
flatten_clip = "2 ETH"
swing_max = "5%"
swing_window = "5min"
orders_per_s_refuse = 60
orders_per_s_halt = 80
equity_share_max = "20%"
adv_share_max = "10%"
depth_max = "20x"
refused_max = "20%"

# A strategy may trade only the pairs that are listed here.
$strategy_limits
# --- timings ----------------------------------------------------------------------------------------------------------

[timings]
quote_age_max = "1s"           # no order is priced from older data [P]
feed_dead = "5s"               # a stream this silent is dead [P]
ack_timeout = "2s"             # no word of an order for so long: it is UNKNOWN, and counts in full [R]
receive_window = "1s"          # [H] the venue refuses what reaches it later; never more than lease_ttl
query_retry = "500ms"          # [H] between two questions after an UNKNOWN order
reconcile_orders = "5s"        # [H] our open orders against the venue's
reconcile_positions = "10s"    # [H] our positions against the venue's
position_age_reduce = "30s"    # the venue's word on positions older than this: reduce only [A]
position_age_halt = "60s"      # older than this: halted. Ten hours of retries taught it [A]
clock_interval = "30s"         # [H] between two measures of the venue's clock
clock_offset_max = "1s"        # Binance refuses a stamp one second ahead [V]; twelve were seen [A]
deadman = "60s"                # the venue cancels our orders unless asked again; "0s" where it cannot [A]
equity_interval = "1s"         # [H] between two marks of equity and drawdown
duplicate_window = "100ms"     # the same order again within this is refused [R]
flatten_read_gap = "1s"        # [H] between the two venue reads that must agree on zero
flatten_retry = "2s"           # [H] between two attempts of an exit, one in flight at a time
hold_clear = "5s"              # [H] a condition must be gone for so long before its hold releases itself
lease_ttl = "1s"               # [H] a process stalled longer than this sends nothing more

# --- what the market is, and when -------------------------------------------------------------------------------------

[reference]
file = "reference.toml"        # groups, volumes, sessions, price bands: every traded instrument needs a row
age_days_max = 30              # [H] older, and nothing that adds risk is sent
when_stale = "refuse"          # refuse what adds risk; or hold the account besides: reduce_only, halted

[market_halts]                 # what a fall since the day began does; over by itself once it is below the first
benchmark = "BTCUSDT"          # whose fall counts for the whole account
# the levels at which markets pause [P]; what each does here [H]: first smaller, then only out, then nothing
levels = [
    "3% reduced instrument",
    "5% reduced account",
    "7% reduce_only instrument",
    "10% reduce_only account",
    "13% halted instrument",
    "15% halted account",
    "20% halted account",
]

# When new risk may be taken, in UTC; what is not named here may be traded around the clock. Exits pass at any hour.
# [hours]
# instrument.BTCUSDT = ["Mon-Fri 07:00-20:00"]
# strategy.two_sided = ["daily 00:00-24:00"]

# --- dead switches ----------------------------------------------------------------------------------------------------

[dead_switch]                  # a thread in the trading process, for a strategy that never returns
hung_after = "2s"              # [H] the trading loop stands still for so long: the latch is tripped, and then
policy = "cancel"              # trip, cancel, or (without a [watchdog]) flatten
protective = "keep"            # stop-losses that can only reduce stay

# The same from outside, for a process that is gone or frozen: docs/how-to/run-a-watchdog.md. It needs a key of its own.
# [watchdog]
# policy = "cancel"            # page, cancel, or flatten
# protective = "keep"
# dead_after = "2s"            # [H] with lease_ttl and a look every 250 ms: cancels begin 2.25 s after the last sign
# stalled_after = "30s"        # [H] it renews its lease, but the venue has answered nothing for so long
# venue_look = "30s"           # [H] between two proofs that its own way to the venue is open
# escalate_after = "30s"       # [H] still not cancelled or not flat: said once more, with what is left
# key_file = "watchdog-keys.toml"
# key_may = "cancel"           # cancel or trade: flatten needs trade

# [probe]                      # every start and every day looks at the venue: holdfast doctor --venue
# canary = true                # and a start proves the dead-man switch by a real order, the smallest, that may not fill

# --- strategies -------------------------------------------------------------------------------------------------------

$strategies
# --- around it --------------------------------------------------------------------------------------------------------

[serve]                        # holdfast serve: the control API
host = "127.0.0.1"             # beyond this machine it needs public = true, tls_cert and tls_key
port = 8720

[up]
start = ["sim", "run", "serve"]  # what `holdfast up` starts

[log]
level = "info"
""")

STRATEGY_SECTION: Final = Template("""\
[strategy.$name]
class = "$where"
instruments = ["BTCUSDT", "ETHUSDT"]
""")

STRATEGY_LIMITS: Final = Template("""\
[limits.strategy.$name.BTCUSDT]
order_max = "0.2 BTC"
position_max = "$btc BTC"
churn_round_trips_max = 60          # [H] in and out again; twice what the examples do. One more: a person resumes it
churn_cost_max = "200 USDT"         # [H] fees less realised P&L there: 0.2 % of the account gone within the window
churn_window = "1min"               # [H] a loop is found in seconds, and a slow trade is none
slippage_max = "1%"                 # [H] the market moved so far since it decided: the decision is of another market
orders_per_s_refuse = 40            # [H] of this strategy there
orders_per_s_halt = 60              # [H] beyond it the strategy is halted, and the others trade on

[limits.strategy.$name.ETHUSDT]
order_max = "4 ETH"
position_max = "$eth ETH"
churn_round_trips_max = 60          # as above
churn_cost_max = "200 USDT"
churn_window = "1min"
slippage_max = "1%"
orders_per_s_refuse = 40
orders_per_s_halt = 60

""")

CAPS: Final = """\
# The hard caps: no limit is ever looser than its number here. `holdfast limits set` and break-glass stay below them,
# and no command and no API changes them: edit this file, and start again. Nobody else may be able to write it.
# Where a chapter gives a number [P], it is the cap too; where we chose one [H], there is room for a day's decision.

[account]
gross_notional_max = "150000 USDT"  # [P]
leverage_max = "1.5x"               # [P]
open_orders_max = 80                # [H] twice
orders_per_s_refuse = 99            # [H] one less than what kills
orders_per_s_kill = 100             # [P]
drawdown_warning = "5%"             # [P]
drawdown_release = "3%"             # [P]
drawdown_breaker = "10%"            # [P]
breaker_cooldown = "15min"          # [P] never shorter
breakers_per_day_max = 3            # [H] one more
orders_per_day_max = 100000         # [H] twice
cancels_per_day_max = 100000        # [H] twice
fills_per_day_max = 40000           # [H] twice
traded_per_day_max = "30000000 USDT"  # [H] twice
crash_share = "75%"                 # [H] three quarters
recover_cooling = "10min"           # [H] never shorter
net_notional_max = "150000 USDT"    # [H] as much as gross
group_share_max = "40%"             # [P]

[instrument.BTCUSDT]
order_max = "0.33 BTC"              # [H] the whole position in one order
order_notional_max = "20000 USDT"   # [H] as much
position_max = "0.33 BTC"           # [P]
collar = "5%"                       # [P]
spread_max = "1%"                   # [P]
jump_max = "10%"                    # [H] twice
flatten_collar = "5%"               # [H] as far as any order
flatten_clip = "0.33 BTC"           # [H] all of it at once
swing_max = "10%"                   # [H] twice
swing_window = "1min"               # [H] never shorter
orders_per_s_refuse = 80            # [H] what the account refuses at
orders_per_s_halt = 100             # [H] what kills the account
equity_share_max = "20%"            # [P]
adv_share_max = "10%"               # [P]
depth_max = "100x"                  # [H] five times
refused_max = "40%"                 # [H] twice

[instrument.ETHUSDT]
order_max = "8 ETH"                 # as above
order_notional_max = "20000 USDT"
position_max = "8 ETH"
collar = "5%"
spread_max = "1%"
jump_max = "10%"
flatten_collar = "5%"
flatten_clip = "8 ETH"
swing_max = "10%"
swing_window = "1min"
orders_per_s_refuse = 80
orders_per_s_halt = 100
equity_share_max = "20%"
adv_share_max = "10%"
depth_max = "100x"
refused_max = "40%"
"""

REFERENCE: Final = Template("""\
# What neither the venue nor holdfast.toml tells of an instrument. Look at all of it now and then, and renew as_of: past
# [reference] age_days_max nothing that adds risk is sent. A running bot reads the file again when it changes.
# `holdfast reference check` says what is wrong with it.

as_of = $as_of    # when somebody last looked at all of this

# Every instrument that is traded needs a row. group: what falls together; group_share_max counts it as one.
# adv: average daily volume. Without it the venue is asked what it traded in the last 24 hours.
[instrument.BTCUSDT]
group = "crypto"
adv = "100000 BTC"             # [H] about a quiet day of the real one

[instrument.ETHUSDT]
group = "crypto"
adv = "1000000 ETH"

# A venue that closes, and what it takes no order outside of (limit down, limit up):
# [calendar.exchange]
# zone = "America/New_York"
# week = ["Mon-Fri 09:30-16:00"]
# holidays = ["2026-12-25"]
# early_closes = { "2026-11-27" = "13:00" }
#
# [instrument.SPY]
# group = "equities"
# calendar = "exchange"
# band_low = "560 USD"
# band_high = "640 USD"
""")

OPERATORS: Final = Template("""\
# Who may tell the bot what. Roles: viewer (look), operator (stop, and let a stopped bot go on), risk (decide on
# unknown orders, quarantined fills and found positions; leave KILLED). This file holds hashes, never a token.
# Another person: holdfast init in an empty directory writes a token and its hash to copy from (without its logins
# line, where that person has no login on this machine). Alone, leaving KILLED waits out recover_cooling; with a
# second [operator.NAME] it takes both.

[operator.$name]
role = "risk"
token_sha256 = "$token_sha256"
logins = ["$login"]            # users of this machine that are this person at the command line
""")

KEYS: Final = Template("""\
# The venue key. This one opens the simulated venue and nothing else. A live key: no withdrawal right, tied to this
# machine's address, and this file stays at mode 0600.
api_key = "$api_key"
secret = "$secret"
""")

STRATEGY: Final = '''\
"""Quotes both sides of each instrument at the touch, up to a small position. A start, not a way to make money.

A strategy returns what it wants and never waits: the gate checks each order, the core sends it, and what became
of it comes back through on_fill, on_order and on_refused. Prices are whole ticks, sizes whole lots.
"""

from holdfast.strategy.api import Context, Strategy
from holdfast.vocab.events import Intent
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import OrderState, Side


class TwoSided(Strategy):
    """One post-only order a side. notional: its worth in USDT; orders_max: the position, in such orders."""

    def __init__(self, *, notional: int = 1_000, orders_max: int = 5, drift_ticks: int = 10, pause_ms: int = 200):
        self.notional = notional
        self.orders_max = orders_max
        self.drift_ticks = drift_ticks
        self.pause_ns = pause_ms * 1_000_000
        self.looked_ns: dict[str, int] = {}

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        if quote.mono_ns - self.looked_ns.get(quote.instrument, 0) < self.pause_ns:
            return None
        self.looked_ns[quote.instrument] = quote.mono_ns

        spec = ctx.spec(quote.instrument)
        lots = max(spec.qty_lots_min, self.notional * 10**8 // (quote.ask_ticks * spec.tick_lot_e8))
        position = ctx.position_lots(quote.instrument)
        want = {Side.BUY: quote.bid_ticks, Side.SELL: quote.ask_ticks}
        if position >= lots * self.orders_max:
            del want[Side.BUY]
        elif position <= -lots * self.orders_max:
            del want[Side.SELL]

        intents: list[Intent] = []
        for order in ctx.orders(quote.instrument):
            price = want.pop(order.side, None)
            stays = price is not None and abs(price - (order.price_ticks or 0)) <= self.drift_ticks
            if not stays and order.state is OrderState.LIVE:
                intents.append(ctx.cancel(quote.instrument, order.order_id))
        for side, price in want.items():
            make = ctx.buy if side is Side.BUY else ctx.sell
            intents.append(make(quote.instrument, qty_lots=lots, price_ticks=price, post_only=True))
        return intents or None
'''

GITIGNORE: Final = "*keys.toml\n*.token\nwebhook.toml\nstate/\nstate-*/\n.holdfast/\n"
