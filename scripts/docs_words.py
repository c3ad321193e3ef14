"""The words of the generated reference pages that the code does not hold. scripts/docs.py demands them whole."""

COMMANDS = """\
`holdfast COMMAND --help` says the same at the terminal. Every command takes `--json`, and ends with one of the
[exit codes](exit-codes.md). The control API (`holdfast serve`) has a path for each command of the last two
tables; it takes an operator's token on every request, `Authorization: Bearer …`.

Which bot is meant: the one of `--config`, `--account` or `--state-dir`; else of the `holdfast.toml` here; else
the only one that runs on this machine. A halt that names nothing, with several bots running, halts them all."""

TABLE = {
    "Looking at a running bot": "These change nothing, and need no token at the command line.",
    "Acting on a running bot": (
        "Stopping takes no token: whoever may run programs as the bot's user could also end it. What loosens takes\n"
        "the token of an operator with the role: from `operator.token` beside the operators file, `--token-file`,\n"
        "`$HOLDFAST_TOKEN_FILE`, or typed when asked."
    ),
}

CONFIGURATION = """\
One TOML file, written with comments by `holdfast init` and read by `holdfast config check`, which says every
problem at once, one line each, and prints the hash that the journal and `holdfast info` show.

No limit and no timing has a default: a missing key stops the start, and so does an unknown one. A timing has a
most as well: set beyond it, what it guards would be as good as off. Numbers with a fraction, a unit or a percent
sign are texts: `"0.5 BTC"`, `"5%"`, `"250ms"`. Amounts round down to what the venue can express; one that would
round to nothing is refused. Paths start at the file's own directory. The file holds no secret."""

KEYS = {
    ("account", "name"): "Yours for it; commands take it as `--account`.",
    (
        "account",
        "venue",
    ): "Any exchange id that ccxt knows. `binanceusdm` gets our own decoder and error table.",
    ("account", "settle_asset"): "What profit and fees are counted in.",
    ("account", "arm"): "Who lifts the startup hold. `auto` is for simulated and paper venues alone.",
    (
        "account",
        "day_begins_utc_hour",
    ): "When the account's day begins, 0 to 23: its peak of equity, and its count of breakers.",
    (
        "account",
        "uid",
    ): "The venue's account number. A key of another account is not armed. A live account must name it.",
    ("account", "key_file"): "A TOML file of mode 0600 with `api_key` and `secret`.",
    ("account", "key_env"): "In place of `key_file`: the environment variable with the key.",
    ("account", "secret_env"): "And the one with the secret.",
    ("venue", "kind"): "What stands behind the address.",
    ("venue", "leverage"): "The venue's own leverage is lowered to this at the start, never raised.",
    ("venue", "rest_url"): "A simulated venue's address; a live one has none to name.",
    ("venue", "stream_url"): "And that of its streams.",
    (
        "venue",
        "control_url",
    ): "The simulator's control port: the last words of a run then compare with its truth.",
    (
        "limits.account",
        "gross_notional_max",
    ): "Worst case over all instruments, both sides counted, in the settle asset.",
    ("limits.account", "leverage_max"): "The same over equity.",
    ("limits.account", "open_orders_max"): "Orders that are not final.",
    (
        "limits.account",
        "orders_per_s_refuse",
    ): "Asked for in a sliding second; beyond it an order is refused.",
    ("limits.account", "orders_per_s_kill"): "Beyond this the account is KILLED.",
    ("limits.account", "drawdown_warning"): "From the day's peak of equity: REDUCED from here on.",
    ("limits.account", "drawdown_release"): "Below this the warning ends.",
    ("limits.account", "drawdown_breaker"): "Cancel everything; REDUCE_ONLY until a person resumes.",
    ("limits.account", "breaker_cooldown"): "At least so long after the breaker.",
    (
        "limits.account",
        "breakers_per_day_max",
    ): "The breaker after so many in one day is the kill switch.",
    (
        "limits.account",
        "orders_per_day_max",
    ): "Orders and amends let through in the account's day. Once reached nothing but exits passes, here and below.",
    (
        "limits.account",
        "cancels_per_day_max",
    ): "Orders asked to cancel in the day. Cancels themselves are never refused.",
    ("limits.account", "fills_per_day_max"): "Executions in the day.",
    ("limits.account", "traded_per_day_max"): "Notional of the day's executions, in the settle asset.",
    (
        "limits.account",
        "crash_share",
    ): "So many of the instruments, and at least two, beyond their `swing_max` in one direction are a `crash`.",
    ("limits.account", "recover_cooling"): "What one person alone waits before `holdfast recover`.",
    ("limits.account", "net_notional_max"): "Long less short over all instruments, at worst case per side.",
    (
        "limits.account",
        "group_share_max",
    ): "The gross notional at worst case of one group of the reference file over the account's equity.",
    ("limits.instrument.INSTRUMENT", "order_max"): "One order, in the base asset.",
    ("limits.instrument.INSTRUMENT", "order_notional_max"): "One order, in the settle asset.",
    ("limits.instrument.INSTRUMENT", "position_max"): "All strategies together, at worst case.",
    (
        "limits.instrument.INSTRUMENT",
        "collar",
    ): "How far from the middle, and from the mark, an order may be priced.",
    ("limits.instrument.INSTRUMENT", "spread_max"): "A wider quote is no price.",
    (
        "limits.instrument.INSTRUMENT",
        "jump_max",
    ): "A larger step between two quotes must be confirmed by the next.",
    ("limits.instrument.INSTRUMENT", "flatten_collar"): "How far an exit may pay.",
    ("limits.instrument.INSTRUMENT", "flatten_clip"): "The largest single exit order.",
    (
        "limits.instrument.INSTRUMENT",
        "swing_max",
    ): "How far its middle may move within the window; beyond it the instrument is REDUCED (`volatility`).",
    ("limits.instrument.INSTRUMENT", "swing_window"): "The window: 2s to seven days.",
    (
        "limits.instrument.INSTRUMENT",
        "orders_per_s_refuse",
    ): "Asked for there by all strategies in a sliding second; beyond it an order is refused.",
    (
        "limits.instrument.INSTRUMENT",
        "orders_per_s_halt",
    ): "Beyond this the instrument is HALTED (`runaway`).",
    (
        "limits.instrument.INSTRUMENT",
        "equity_share_max",
    ): "Its notional at worst case over the account's equity.",
    (
        "limits.instrument.INSTRUMENT",
        "adv_share_max",
    ): "One order over the average daily volume: the reference file's, else what the venue says of the last 24 hours.",
    (
        "limits.instrument.INSTRUMENT",
        "depth_max",
    ): "One order that may take at once over the size at the best price that it meets. One that rests is not asked.",
    (
        "limits.instrument.INSTRUMENT",
        "refused_max",
    ): "A larger share of its market data refused within ten seconds, for being bad, holds the instrument.",
    (
        "limits.strategy.STRATEGY.INSTRUMENT",
        "order_max",
    ): "One order of this strategy. A pair that is not listed may not trade.",
    ("limits.strategy.STRATEGY.INSTRUMENT", "position_max"): "Its position there, at worst case.",
    (
        "limits.strategy.STRATEGY.INSTRUMENT",
        "churn_round_trips_max",
    ): "Its round trips there within the window, at most 500; with one more it is held (`churn`).",
    (
        "limits.strategy.STRATEGY.INSTRUMENT",
        "churn_cost_max",
    ): "Fees less realised P&L there within the window, in the settle asset; above it is held (`churn`).",
    ("limits.strategy.STRATEGY.INSTRUMENT", "churn_window"): "The window of both: 1s to seven days.",
    (
        "limits.strategy.STRATEGY.INSTRUMENT",
        "slippage_max",
    ): "What an order would pay now (the far touch, or its own price where it rests), against the decision's price.",
    (
        "limits.strategy.STRATEGY.INSTRUMENT",
        "orders_per_s_refuse",
    ): "Asked for there by this strategy in a sliding second; beyond it an order is refused.",
    (
        "limits.strategy.STRATEGY.INSTRUMENT",
        "orders_per_s_halt",
    ): "Beyond this the strategy is HALTED everywhere (`runaway`).",
    ("flow.INSTRUMENT", "window"): "100ms to seven days. What is older leaves up to a 16th of it late.",
    (
        "flow.INSTRUMENT",
        "same_side_max",
    ): "Notional that all strategies together may send one way there within the window; an exit waits a window at most.",
    (
        "flow.INSTRUMENT",
        "walk_max",
    ): "How far a strategy's prices may go, the way it trades, from the middle when its first order of the window passed.",
    ("flow_group.GROUP", "window"): "100ms to seven days. What is older leaves up to a 16th of it late.",
    (
        "flow_group.GROUP",
        "same_side_max",
    ): "Notional that all strategies together may send one way in all of the group's instruments within the window.",
    ("criteria.STRATEGY", "day_loss_max"): "Its loss since the day began, realised and not, less its fees.",
    (
        "criteria.STRATEGY",
        "drawdown_max",
    ): "How far it may be below its own highest mark since a person let it go on.",
    (
        "criteria.STRATEGY",
        "fill_share_min",
    ): "Of its orders that ended within the window: filled, at least in part.",
    (
        "criteria.STRATEGY",
        "slippage_cost_max",
    ): "Paid within the window against the prices that it decided at.",
    (
        "criteria.STRATEGY",
        "reject_share_max",
    ): "Of its orders that ended within the window: rejected by the venue.",
    ("criteria.STRATEGY", "orders_min"): "With fewer orders ended within the window neither share is judged.",
    ("criteria.STRATEGY", "window"): "1s to seven days. What is older leaves up to a 32nd of it late.",
    (
        "criteria.STRATEGY",
        "over_intended_max",
    ): "Its position in an instrument over what it intended there (`oversized`); `1.5x` is usual.",
    ("timings", "quote_age_max"): "No order is priced from older data. At most `feed_dead`.",
    ("timings", "feed_dead"): "A stream this silent is dead.",
    ("timings", "ack_timeout"): "No word of an order for so long: it is UNKNOWN.",
    ("timings", "receive_window"): "The venue refuses what reaches it later. At most `lease_ttl`.",
    ("timings", "query_retry"): "Between two questions after an UNKNOWN order.",
    ("timings", "reconcile_orders"): "Our open orders against the venue's.",
    ("timings", "reconcile_positions"): "Our positions against the venue's. At most `position_age_reduce`.",
    (
        "timings",
        "position_age_reduce",
    ): "The venue's word on positions older than this: REDUCE_ONLY. At most `position_age_halt`.",
    ("timings", "position_age_halt"): "Older than this: HALTED.",
    ("timings", "clock_interval"): "Between two measures of the venue's clock.",
    ("timings", "clock_offset_max"): "A larger difference: REDUCE_ONLY.",
    (
        "timings",
        "deadman",
    ): 'The venue cancels our orders unless asked again within this; `"0s"` where it has no such tool.',
    ("timings", "equity_interval"): "Between two marks of equity and drawdown.",
    ("timings", "duplicate_window"): "The same order again within this is refused.",
    ("timings", "flatten_read_gap"): "Between the two venue reads that must agree on zero.",
    ("timings", "flatten_retry"): "Between two attempts of an exit.",
    ("timings", "hold_clear"): "A condition must be gone for so long before its hold releases itself.",
    ("timings", "lease_ttl"): "A process stalled longer than this sends nothing more.",
    (
        "reference",
        "file",
    ): "The [reference file](../how-to/keep-reference-data.md): groups, volumes, sessions, bands.",
    ("reference", "age_days_max"): "Its `as_of` longer ago than this, and nothing that adds risk is sent.",
    (
        "reference",
        "when_stale",
    ): "What a file too old, or none, does besides: nothing, or a hold on the account until a new one is read.",
    ("market_halts", "benchmark"): "The instrument whose fall counts for the account.",
    (
        "market_halts",
        "levels",
    ): "Texts such as `7% reduce_only account`: a fall since the day's first price, what it does, and where: the "
    "benchmark's fall to the account, or each instrument's own to itself. Over by itself once it is below the first.",
    (
        "hours",
        "instrument",
    ): 'When new risk may be taken there, in UTC: texts such as `"Mon-Fri 07:00-20:00"`. Not named: always.',
    ("hours", "strategy"): "The same for a strategy. Where both are named, both must be open.",
    ("strategy.STRATEGY", "class"): "`file.py:Class` beside the configuration, or `module:Class`.",
    ("strategy.STRATEGY", "instruments"): "Where it trades; each needs its limits above.",
    (
        "strategy.STRATEGY",
        "sha256",
    ): "Pins the file's content (`holdfast doctor` prints it). A live account loads none without it.",
    ("strategy.STRATEGY", "params"): "`[strategy.STRATEGY.params]`: given to the class by name.",
    ("paths", "state_dir"): "Journal, market log, control socket, read store, logs.",
    (
        "paths",
        "data_dir",
    ): "Recorded market data. Reserved: `--data-dir` and `$HOLDFAST_DATA` are what is read today.",
    ("paths", "operators_file"): "Names, roles and token hashes.",
    (
        "paths",
        "firm_file",
    ): "Caps over several accounts, each with a fixed share; this account's limits are within its own.",
    (
        "paths",
        "caps_file",
    ): "The hard caps, in a file of their own: no limit is looser, and no command changes them.",
    ("feed", "source"): "`binance` is our own decoder; `ccxt` serves every other venue.",
    ("feed", "streams"): "Nothing is priced without quotes.",
    ("feeds", "dead_after"): "A stream so long silent is dead: a feed that counts by itself takes over.",
    (
        "feeds",
        "too_old_after",
    ): "A stream so far behind another feed's is too old. Half of `quote_age_max` loses nothing at the change.",
    ("feeds", "back_after"): "So long must a feed speak without a break before it is preferred again.",
    (
        "feeds.backup.NAME",
        "source",
    ): "`binance`: the same streams over another way; `ccxt`: any exchange, the account's own, or another as a reference feed.",
    (
        "feeds.backup.NAME",
        "url",
    ): "Where its streams are; empty: where the primary's are, by a connection of its own.",
    ("feeds.backup.NAME", "rest_url"): "Where `ccxt` reads its markets; empty: the exchange's own address.",
    (
        "feeds.backup.NAME",
        "venue",
    ): "The exchange id of `ccxt`. Another than the account's is a reference feed only.",
    ("feeds.backup.NAME", "instruments"): "Ours and their names there; empty: all, by our names.",
    ("equities", "files"): "Zips of ticks, seconds or minutes as LEAN keeps them, or directories of them.",
    (
        "equities",
        "factor_files",
    ): "A directory with each company's splits. A company without a file has none that is known of.",
    (
        "equities",
        "map_files",
    ): "A directory with what each company's ticker was: an instrument is a company, by its file's name.",
    (
        "probe",
        "canary",
    ): "Lets a start prove the venue's dead-man switch by a real order: the smallest, 3 % below the mark, post-only.",
    ("serve", "host"): "Where `holdfast serve` listens. Beyond this machine it needs `public` and TLS.",
    ("serve", "port"): "And its port.",
    ("serve", "hosts"): "Further names by which clients may call it.",
    ("serve", "public"): "Says that another machine may call.",
    ("serve", "tls_cert"): "The certificate's file.",
    ("serve", "tls_key"): "The key's file.",
    ("log", "level"): "Of `holdfast.log` in the state directory, and of the terminal.",
    ("up", "start"): "What `holdfast up` starts, in this order.",
    ("dead_switch", "hung_after"): "The trading loop must stand still for so long. At least `lease_ttl`.",
    (
        "dead_switch",
        "policy",
    ): "What follows the tripped latch, by a client of its own. `flatten` only without a [watchdog].",
    (
        "dead_switch",
        "protective",
    ): "Conditional orders that can only reduce: kept, or cancelled with the rest. A flatten cancels them last.",
    (
        "watchdog",
        "policy",
    ): "What follows page and fence. `flatten` also cancels, and closes what has limits in this file.",
    ("watchdog", "protective"): "As in [dead_switch].",
    (
        "watchdog",
        "dead_after",
    ): "The lease's stamp must stand still for so long. At least `lease_ttl`; [the sum](../explanation/dead-switches.md).",
    (
        "watchdog",
        "stalled_after",
    ): "A page when the lease is renewed and no event was stepped, or no answer of the venue came, for so long.",
    ("watchdog", "venue_look"): "Between two proofs that its own key can still list orders.",
    (
        "watchdog",
        "escalate_after",
    ): "Not everything cancelled, or not flat, after this: a page with what is left.",
    ("watchdog", "key_file"): "A key of its own, mode 0600. Needed to cancel and to flatten.",
    ("watchdog", "key_may"): "What the venue lets that key do. `flatten` with `cancel` refuses to start.",
    (
        "watchdog",
        "stop",
    ): 'The words of a command that ends the bot for good: `["systemctl", "kill", "-s", "KILL", "holdfast-run@mybot"]`.',
    (
        "watchdog",
        "webhook_file",
    ): "A TOML file of mode 0600 with `url` and perhaps `bearer`: pages are posted there too.",
}

HOLDS = """\
A hold is the one mechanism that stops trading. It has a scope (the account, an instrument, a strategy, or a
strategy in an instrument), a level, a cause, and somebody who may release it. The strictest level in scope
wins. `holdfast holds` lists them, `holdfast why` says which one forbade an order. Placing an account-wide hold
that a person must release, at HALTED or KILLED, also trips the [latch](../explanation/the-last-hop.md)."""

LEVELS = {
    "REDUCED": "Risk-increasing orders are halved, and so are position limits and collars.",
    "REDUCE_ONLY": "Nothing may increase or flip a position.",
    "HALTED": "No order leaves outside the exit lane. Cancels work, and so does `holdfast flatten`.",
    "KILLED": "The same, and only `holdfast recover` leaves it.",
}

LADDER = """\
Where the account stands by its losses, its rate of orders and its people. A rung is what the account-wide
[holds](holds.md) add up to, so there is one truth; `holdfast status` shows it. Drawdown is equity at mark below the peak
of the account's day, which begins at `day_begins_utc_hour`, in percent of that peak. A transfer is no gain and no loss: what
is withdrawn lowers the peak by the same share as equity, so a loss counts against what is left; what is paid in counts from
the next day on, but for what was withdrawn the same day, so it hides no loss. Drawdown is looked at
every `timings.equity_interval` and, for the breaker, at every accepted mark of what is held, and at every quote of it once
its marks have been silent for ten seconds: from Normal to Breaker takes one jump. The numbers are
[limits](configuration.md#limitsaccount) like any other. Every rung survives a restart; a restart never loosens. A fatal
error is no rung: it trips the latch and ends the process, and the next start is HALTED."""

RUNGS = {
    "normal": "Everything that the gate lets through.",
    "warning": "Risk-increasing orders are halved, and so are position limits and collars. Left by itself below the release.",
    "breaker": "What was open is cancelled; only reducing orders pass. The cool-down runs.",
    "cool_down": "The same still. The cool-down has run: a person may reset it, once the checks pass.",
    "kill_switch": "KILLED: nothing outside the exit lane. The rate and a person's kill exit positions, too many breakers keep them.",
    "recovery": "HALTED: two people left the kill switch, books and venue are compared, then a person arms.",
}

PUSHES = {
    "over_warning": "Drawdown above `drawdown_warning`.",
    "over_breaker": "Drawdown above `drawdown_breaker`, whatever it was before.",
    "below_release": "Drawdown below `drawdown_release`.",
    "time_over": "`breaker_cooldown` has run since the breaker (or since it began again).",
    "reboot": "The machine booted: every safety delay restarts in full.",
    "reset": "`holdfast resume HOLD --reason …` of the breaker's hold, equity known, drawdown not above the breaker's.",
    "reset_beyond": "The same while the drawdown is still above it: the cool-down begins again.",
    "too_many": "More breakers than `breakers_per_day_max` in one day.",
    "too_fast": "More than `orders_per_s_kill` orders asked for within a sliding second: positions are exited as well.",
    "kill": "`holdfast kill` or `holdfast hardstop`: they exit positions as well.",
    "recover": "`holdfast recover`.",
    "arm": "`holdfast arm`, books and venue compared.",
}

ERRORS = """\
Every reply, and every request that got none, is one of four things. *ok*: it happened. **transient**: it certainly did not, asking
again is fine. **fatal**: it certainly did not, asking the same again is wrong. **unknown**: cannot say; an order then stays counted in
full and is asked after ([why](../explanation/unknown-is-a-value.md)). Two more answers are as good as a success: **absent**, the venue
knows no such order (for an order in doubt that is proof only when asked after the receive window has passed, and twice), and
**done**, it is as asked already.

**–** is no row for that kind of request: the outcome is unknown, marked unlisted, counted, alerted, and holds the account to reducing.
A code without a row here is the same, whatever the HTTP status. *query* asks after one order by our id, *read* is everything else that
changes nothing, *config* is leverage and the dead-man switch."""

FAULT_CAUSES = {
    "venue_auth": "the key, its rights, its address or its signature is refused, whatever was asked",
    "endpoint_retired": "the address that was asked is gone: 404, 410, and the codes that say so",
    "clock": "our stamps are outside the venue's window; the clock is measured again at once, and the hold goes by itself",
    "unknown_error": "no row names the answer, or a message could not be read",
}

BUDGETS = """\
A failure is any answer but a success; for a cancel also one that shows the order open still. What the last hop withheld does not
count. A spent budget alerts (`retries.spent`), and holds the instrument, or the account where the request names none; the asking goes
on, and the hold goes by itself once there is an answer or nothing is left to ask. – has no count of its own: the hold beside it has its
own clock ([configuration](configuration.md), `[timings]`)."""

AUDITOR = """\
[Simulation](../explanation/simulation.md) runs whole bots from seeds, under an auditor that shares no code with them. These
are its rules, as a failing seed names them; `bench/simulation.json` tells how often each was asked (`checks_by_rule`). An I
must hold at every moment, an L once the storm is over."""

CALM = """\
What L1 and L2 name where they fail: a difference between the books and the venue (foreign orders, equity, wallets, breaks,
open orders, positions), or something that does not end."""

LIFE_CYCLE = """\
An order is an approved intent; it counts in full from the moment of approval until it is final. UNKNOWN is a
state like any other: it still counts in full, is asked after by our client id, and becomes something else only
by the venue's word or a named person's ([why](../explanation/unknown-is-a-value.md)). What arrives for a final
order (a late fill) is booked and moves nothing."""

ILLEGAL = """\
A pair marked – is illegal. Where a reply or a report asks for one, the order stays as it is and people are told
(`order.illegal`, critical). A fact that holds one, by a fault of ours or in a journal that is read, breaks an invariant and
ends the process with [exit code](exit-codes.md) 70."""

STATES = {
    "sent": "Approved and handed to the last hop; no word yet.",
    "live": "The venue has it.",
    "cancel_sent": "A cancel is on its way; a fill may still come first.",
    "unknown": "Cannot say. Counted in full.",
    "filled": "Final: filled whole.",
    "cancelled": "Final: cancelled, by us, by the venue, or signed for by a person.",
    "expired": "Final: the venue ended it.",
    "rejected": "Final: the venue refused it.",
    "unsent": "Final: proven never to have reached the venue.",
}

GATE = """\
The gate is the only door: nothing reaches a venue as an order without the `Approved` that it alone makes. It
asks its checks in this order, and the first that refuses names the reason. A missing number refuses. Worst case
means position + working + in flight + unknown + pending amends + this order, per side.

An order that is reduce-only is asked for the venue's own session and bands, and not for our hours, volumes, depth, groups
and shares. The exit lane is asked for none of these.

`holdfast why` tells the last refusal in words; with `--instrument`, `--side` and `--qty` it asks the same gate
about an order that nobody sends."""

BASKETS = """\
Several orders of one strategy may be asked for as a basket ([how to](../how-to/send-a-basket.md)). Each leg is asked every
check by itself, and then as if all the others had been let through just before it, so every sum is that of all of them
together. All are let through in one step, or none: then the refusal names the first leg that may not by itself, else the
first that may not with the others (`leg`, of `legs_count`)."""

SIMULATOR = """\
`holdfast sim` serves a simulated Binance USD-M exchange: REST, WebSocket streams and the WebSocket API, with
signatures, rate limits, filters and error codes as the real one has them. `holdfast run` without a
configuration starts one for itself. Unless told otherwise it listens on 127.0.0.1:8710, has one account (key
`sim-key`, secret `sim-secret`, 100,000 USDT), and plays the recorded session of 2024-08-08 where
`$HOLDFAST_DATA` or `../shared/data` holds it, else a market generated from a seed. It keeps nothing: when it
ends, its accounts, orders and trades are gone.

[Point another client at it](../how-to/point-another-client-at-the-simulator.md) shows ccxt and python-binance
against it."""

CONTROL_PORT = """\
A second port, 127.0.0.1:8711 unless told otherwise, takes no key and answers this machine alone; a request with
an `Origin` is refused. Bodies are JSON; a field without a default must be given, an unknown one is refused."""

CONTROL = {
    ("GET", "/status"): ("", "The venue's clock, its market, its sockets, what was sent."),
    ("GET", "/truth"): (
        "`account`, `since_seq`, `requests=0`",
        "Ground truth on one account: every trade, open order, position, balance and order request.",
    ),
    ("GET", "/faults"): ("", "The faults at work, with how often each was met and struck."),
    ("POST", "/faults"): ("a fault, below", "Put a fault to work; answers its `fault_id`."),
    ("DELETE", "/faults"): ("`fault_id`", "Take one away, or all."),
    ("DELETE", "/reshape"): ("", "Every answer in its own shape again."),
    ("DELETE", "/freeze"): ("`pattern`", "Let a frozen stream go on, or all."),
}

FAULT_SHAPE = """\
What is given must match, with `*` and `?`; `path` of a WebSocket API method is `/ws-fapi/v1/order.place`. A
fault strikes at `rate` of the matches, at most `count` of them, for `for_s` seconds of venue time."""

FAULTS = {
    "retire": "The endpoint is gone: 404 or 410 (`http`), with an HTML, JSON or empty `body`.",
    "refuse": "Refused with `http`, `code`, `msg`; nothing took effect.",
    "rate_limit": "429, or 418, with `retry_after_s`.",
    "slow": "Answered after `delay_ms`, then as usual.",
    "reset": "The connection is reset; nothing took effect.",
    "hang": "Never answered; nothing took effect.",
    "ack_reset": "It took effect, and the connection is reset before the reply.",
    "ack_hang": "It took effect; silence for `delay_ms`, then a reset.",
    "ack_truncated": "It took effect; half a body comes back.",
    "ack_empty": "It took effect; 200 and nothing.",
    "ack_garbage": "It took effect; 200 and no JSON.",
    "ack_error": "It took effect, and is answered by an error: 503 with -1007 unless told.",
    "ack_slow": "It took effect; the reply leaves after `delay_ms`.",
    "user_drop": "A user event is lost.",
    "user_delay": "A user event leaves after `delay_ms`.",
    "user_duplicate": "A user event comes twice.",
    "user_reorder": "A user event comes after the next one.",
}

STREAMS = """\
`/ws`, `/ws/NAME`, `/stream?streams=A/B`, and the same below `/public`, `/market` and `/private`; SUBSCRIBE and
its kin are answered. By instrument (lower case): `@bookTicker`, `@trade`, `@aggTrade`, `@depth` and `@depth5`,
`10`, `20` with `@100ms`, `@250ms`, `@500ms`, `@markPrice`, `@markPrice@1s`, `@kline_1m` and the other
intervals, `@ticker`, `@miniTicker`, `@forceOrder`; for all: `!bookTicker`, `!ticker@arr`, `!miniTicker@arr`,
`!markPrice@arr`, `!forceOrder@arr`. The account's own stream is its listen key."""
