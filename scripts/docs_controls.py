"""Which control stands where: every check of the gate and every cause of a hold, what asks for it, and its proof.

One table. A check or a cause without a row, and a test that does not exist, fail tests/repo/test_controls.py.
"""

from typing import NamedTuple

CAPABILITIES = {
    "R1": "an unclassified venue error never passes as transient",
    "R2": "a deadline on the venue's word, then a halt",
    "R3": "a probe of the venue's contract, at every start and daily",
    "R6": "requests stamped by the venue's time",
    "R7": "a monitor of clock skew",
    "R9": "a strategy that goes round and round is held",
    "R16": "kill: stop and exit, one verb",
    "R17": "pause: cancel, keep positions",
    "R18": "ban one instrument or strategy",
    "R22": "one halt, with who, when and why",
    "R23": "a halt survives the crash",
    "R24": "halt, cancel and flatten are three verbs",
    "R25": "a reduce-only state",
    "R26": "a kill switch per strategy",
    "R27": "automatic kill triggers",
    "R29": "an outside watchdog",
    "R30": "one writer per account",
    "R31": "the venue's own dead-man switch",
    "R33": "flat is what the venue shows",
    "R36": "one gate that nothing goes round",
    "R37": "position limits that count open orders",
    "R38": "a largest share of equity per instrument",
    "R39": "a largest share of equity per group",
    "R40": "a largest order, in size and money",
    "R41": "an order small beside volume and depth",
    "R42": "a price collar",
    "R43": "a tolerance for slippage",
    "R44": "a cap on gross exposure and leverage",
    "R45": "a limit on the rate of orders",
    "R46": "a rate that kills",
    "R47": "caps on a day's orders, cancels and fills",
    "R48": "a largest number of open orders",
    "R49": "orders that make sense",
    "R50": "trading windows and session calendars",
    "R51": "no duplicate orders",
    "R53": "closed when data is stale or missing",
    "R56": "a timeout on silent feeds",
    "R61": "unreadable input is set aside and counted",
    "R64": "a degraded feed stops signals",
    "R67": "written down before it is sent",
    "R76": "overfills are found",
    "R77": "a fill that nothing explains is quarantined",
    "R79": "a start reconciles before it trades",
    "R80": "positions are reconciled while running",
    "R81": "a policy for what does not match",
    "R82": "one owner of position and P&L",
    "R85": "drawdown with unrealised P&L",
    "R86": "a ladder whose repeat trips escalate",
    "R87": "a warning that halves",
    "R89": "a crash told apart from ordinary volatility",
    "R88": "a cool-down, and a reset with checks",
    "R90": "not everybody sells at once",
    "R91": "exposure beside its limits",
    "R92": "a failing strategy is taken out",
    "R126": "children never exceed their parent",
}


class Control(NamedTuple):
    """A control by its number, and where practice and law ask for it; – where they do not name it."""

    name: str
    fia: str  # FIA, best practices for automated trading risk controls, July 2024: section
    sec: str  # SEC rule 15c3-5: paragraph
    rts6: str  # Delegated Regulation (EU) 2017/589: article


CONTROLS = {
    "C1": Control("one order gate at the last hop", "1", "(d)", "15"),
    "C2": Control("largest order, in size and value, amends too", "1.1", "(c)(1)(ii)", "15(1)(b)(c)"),
    "C3": Control("price collar against a fresh reference", "1.3, 2.1", "(c)(1)(ii)", "15(1)(a)"),
    "C4": Control("position limit at worst case", "1.2", "(c)(1)(i)", "15(2)(5), 17(4)"),
    "C5": Control("gross and leverage cap, firm-wide", "4.2", "(c)(1)(i)", "15(4)(5)"),
    "C6": Control("drawdown ladder", "4.2", "–", "17(1)"),
    "C7": Control("message throttle", "3.4", "(c)(1)(ii)", "15(1)(d)"),
    "C8": Control("repeated execution and churn limit", "3.2", "(c)(1)(ii)", "15(3)"),
    "C9": Control("duplicate order detection", "–", "(c)(1)(ii)", "–"),
    "C10": Control("conservation: children within their parent", "–", "–", "–"),
    "C11": Control("reasonable market data", "3.1", "–", "–"),
    "C12": Control("allowed instruments, accounts, strategies", "–", "(c)(2)(ii)(iii)", "8, 15(5)"),
    "C13": Control("halt", "1.5", "–", "12, 14(2)(f)"),
    "C14": Control("cancel-all, each order to its end", "1.5, 1.6", "–", "12(1)"),
    "C15": Control("reduce-only mode", "1.5", "–", "14(2)(g)"),
    "C16": Control("flatten: bounded, sliced, reduce-only", "2.3", "–", "14(3)"),
    "C17": Control("flat only by the venue's word", "4.1", "–", "17(3)"),
    "C18": Control("the venue's dead-man switch", "1.4", "–", "14(2)"),
    "C19": Control("outside watchdog", "4.1", "(c)(2)(iv)", "16(2)"),
    "C20": Control("continuous reconciliation", "4.1", "–", "17(3)"),
    "C21": Control("quarantine", "4.1", "–", "–"),
    "C22": Control("journal before send", "–", "–", "5(7)"),
    "C23": Control("crash-safe start", "–", "–", "14"),
    "C24": Control("unknown errors are never transient", "–", "–", "–"),
    "C25": Control("venue time, drift alarm", "–", "–", "RTS 25"),
    "C26": Control("alerts that are ranked, acknowledged, escalated", "–", "(c)(2)(iv)", "16(5)"),
    "C27": Control("limits beside their use, and its age", "–", "–", "16"),
    "C28": Control("every fill attributed", "–", "–", "12(3)"),
    "C29": Control("the same build and configuration everywhere", "–", "–", "5, 6, 11"),
    "C30": Control("no dead trading code", "–", "–", "–"),
    "C31": Control("no rollback while live", "–", "–", "11"),
    "C32": Control("nothing of a test reaches a live account", "–", "–", "7"),
    "C33": Control("runbooks that run", "–", "(b)", "14(4)"),
    "C34": Control("break-glass, two persons", "–", "(d)", "15(6)"),
    "C35": Control("evidence and cost of an incident", "–", "(e)", "9, 13"),
    "C36": Control("the notifier never blocks trading", "–", "–", "16"),
}


class Row(NamedTuple):
    """What stands there: controls and capabilities by number, and the test that proves it (file::function)."""

    controls: tuple[str, ...]
    capabilities: tuple[str, ...]
    test: str


_GATE = "tests/core/test_gate_checks.py::test_no_check_can_be_taken_out_unnoticed"
_PEOPLE = "tests/core/test_people.py"
_AGES = "tests/core/test_ages.py"
_REFERENCE = "tests/core/test_reference.py"

CHECKS = {
    "not_held": Row(("C1", "C13"), ("R22", "R36"), f"{_GATE}[not_held]"),
    "makes_sense": Row(("C1", "C12"), ("R49",), f"{_GATE}[makes_sense]"),
    "within_hours": Row(("C12",), ("R50",), f"{_GATE}[within_hours]"),
    "fits_the_venue": Row(("C2",), ("R49",), f"{_GATE}[fits_the_venue]"),
    "priced_from_fresh_data": Row(("C3", "C11"), ("R53",), f"{_GATE}[priced_from_fresh_data]"),
    "known_by_fresh_facts": Row(("C11",), ("R53",), f"{_GATE}[known_by_fresh_facts]"),
    "not_a_duplicate": Row(("C9",), ("R51",), f"{_GATE}[not_a_duplicate]"),
    "within_order_limits": Row(("C2",), ("R40",), f"{_GATE}[within_order_limits]"),
    "within_volume": Row(("C2",), ("R41",), f"{_GATE}[within_volume]"),
    "inside_the_bands": Row(("C3",), ("R42", "R50"), f"{_GATE}[inside_the_bands]"),
    "inside_the_collar": Row(("C3",), ("R42",), f"{_GATE}[inside_the_collar]"),
    "within_the_walk": Row(("C3",), ("R42",), f"{_GATE}[within_the_walk]"),
    "near_its_decision": Row(("C3",), ("R43",), f"{_GATE}[near_its_decision]"),
    "reduces": Row(("C15",), ("R25",), f"{_GATE}[reduces]"),
    "within_position_limits": Row(("C4",), ("R37",), f"{_GATE}[within_position_limits]"),
    "within_shares": Row(("C4", "C5"), ("R38", "R39"), f"{_GATE}[within_shares]"),
    "within_account_limits": Row(("C5",), ("R44",), f"{_GATE}[within_account_limits]"),
    "within_net": Row(("C5",), ("R44",), f"{_GATE}[within_net]"),
    "within_the_rate": Row(("C7",), ("R45", "R48"), f"{_GATE}[within_the_rate]"),
    "within_the_day": Row(("C7",), ("R47",), f"{_GATE}[within_the_day]"),
    "within_the_flow": Row(("C7", "C8"), ("R90",), f"{_GATE}[within_the_flow]"),
    "within_the_parent": Row(("C10",), ("R126",), f"{_GATE}[within_the_parent]"),
    "meets_no_own_order": Row(("C8",), ("R9",), f"{_GATE}[meets_no_own_order]"),
}

HOLDS = {
    "startup": Row(
        ("C23",),
        ("R79",),
        "tests/core/test_start.py::test_a_start_places_the_startup_hold_before_anything_else_happens",
    ),
    "halt": Row(("C13",), ("R22", "R23"), f"{_PEOPLE}::test_halt_trips_the_latch_and_the_latch_is_the_hold"),
    "pause": Row(("C13", "C14"), ("R17",), f"{_PEOPLE}::test_pause_cancels_and_keeps_positions"),
    "stop": Row(
        ("C13", "C16"),
        ("R24",),
        "tests/core/test_flatten.py::test_stop_rests_at_the_touch_and_is_priced_anew_when_the_market_leaves",
    ),
    "kill": Row(
        ("C13", "C16", "C34"),
        ("R16",),
        f"{_PEOPLE}::test_killed_is_not_resumed_and_not_recovered_while_the_exit_runs",
    ),
    "hardstop": Row(
        ("C13", "C16"), ("R16",), "tests/core/test_end.py::test_hardstop_gets_flat_and_then_ends"
    ),
    "ban": Row(
        ("C12", "C15"),
        ("R18", "R26"),
        f"{_PEOPLE}::test_ban_lets_only_exits_through_and_cancels_what_increases",
    ),
    "drawdown_warning": Row(
        ("C6",),
        ("R85", "R87"),
        "tests/core/test_drawdown.py::test_five_percent_down_is_a_warning_that_halves",
    ),
    "drawdown_breaker": Row(
        ("C6", "C15"),
        ("R85", "R86", "R88"),
        "tests/process/test_breaker.py::"
        "test_the_jump_goes_straight_to_the_breaker_and_a_kill_does_not_lift_it",
    ),
    "breakers": Row(
        ("C6",),
        ("R27", "R86"),
        "tests/core/test_ladder.py::test_the_third_breaker_of_a_day_is_the_kill_switch",
    ),
    "order_rate": Row(
        ("C7",),
        ("R27", "R46"),
        "tests/core/test_rates.py::test_a_burst_of_101_across_the_edge_of_a_second_kills_and_gets_flat",
    ),
    "runaway": Row(
        ("C7",),
        ("R26", "R45"),
        "tests/core/test_rates.py::test_a_runaway_strategy_is_halted_everywhere_and_the_others_trade_on",
    ),
    "volatility": Row(
        ("C11",),
        ("R89",),
        "tests/core/test_swing.py::test_one_volatile_instrument_is_halved_and_comes_back_by_itself",
    ),
    "crash": Row(
        ("C11", "C15"),
        ("R89",),
        "tests/core/test_swing.py::test_many_that_fall_at_once_are_a_crash_and_wait_for_a_person",
    ),
    "stale_data": Row(
        ("C11",),
        ("R53", "R64"),
        f"{_AGES}::test_one_silent_instrument_may_only_be_reduced_and_comes_back_by_itself",
    ),
    "bad_data": Row(
        ("C11",),
        ("R61", "R64"),
        "tests/core/test_data.py::test_too_large_a_share_of_bad_data_holds_the_instrument_until_it_is_better",
    ),
    "split": Row(
        ("C11",),
        ("R53",),
        "tests/core/test_data.py"
        "::test_the_day_of_a_split_holds_its_instrument_and_prices_nothing_until_a_person_has_applied_it",
    ),
    "feeds_lost": Row(("C11",), ("R56",), f"{_AGES}::test_with_every_instrument_silent_trading_halts"),
    "user_stream_lost": Row(
        ("C20",), ("R53",), f"{_AGES}::test_without_the_user_stream_only_exits_are_allowed"
    ),
    "position_stale": Row(
        ("C20", "C24"),
        ("R2",),
        f"{_AGES}::test_when_the_venue_does_not_tell_trading_is_reduced_and_then_halted_by_itself",
    ),
    "position_unknown": Row(
        ("C20", "C24"),
        ("R2",),
        f"{_AGES}::test_when_the_venue_does_not_tell_trading_is_reduced_and_then_halted_by_itself",
    ),
    "clock": Row(
        ("C25",), ("R6", "R7"), f"{_AGES}::test_a_venue_clock_that_moves_away_reduces_until_it_is_back"
    ),
    "reconcile_break": Row(
        ("C20",),
        ("R80", "R81"),
        "tests/core/test_reconcile.py::"
        "test_a_difference_must_be_seen_twice_and_is_seen_within_fifteen_seconds",
    ),
    "quarantine": Row(
        ("C21", "C28"),
        ("R77",),
        "tests/core/test_fills.py::test_a_fill_that_no_order_explains_counts_and_stops_new_risk_there",
    ),
    "fill_busted": Row(
        ("C20", "C28"),
        ("R77", "R80"),
        "tests/core/test_busts.py::test_it_is_held_and_told_with_its_numbers",
    ),
    "unknown_error": Row(
        ("C24",),
        ("R1", "R61"),
        "tests/core/test_start.py::test_an_unlisted_answer_of_the_venue_holds_and_says_so",
    ),
    "venue_auth": Row(
        ("C12",),
        ("R79",),
        "tests/core/test_start.py::"
        "test_a_key_to_somebody_elses_account_is_found_out_before_anything_is_booked",
    ),
    "venue_contract": Row(
        ("C12", "C24"),
        ("R3",),
        "tests/core/test_contract.py::test_a_failed_venue_contract_holds_with_its_reason_and_the_next_good_look_lifts_it",
    ),
    "endpoint_retired": Row(
        ("C24",),
        ("R1",),
        "tests/core/test_retries.py::test_an_address_that_is_gone_holds_to_reducing",
    ),
    "retries_spent": Row(
        ("C24",),
        ("R2",),
        "tests/core/test_retries.py::test_a_spent_budget_holds_its_instrument_and_goes_by_itself",
    ),
    "lost_lease": Row(
        ("C13", "C19"), ("R30",), f"{_PEOPLE}::test_a_lost_lease_halts_and_asks_for_everything"
    ),
    "strategy_failed": Row(
        ("C12",), ("R26", "R92"), f"{_AGES}::test_a_strategy_that_fails_is_held_and_the_others_trade_on"
    ),
    "churn": Row(
        ("C8",),
        ("R9", "R26"),
        "tests/process/test_churn.py::test_a_flipper_is_held_and_only_a_person_lets_it_go_on",
    ),
    "criteria": Row(
        ("C6", "C8"),
        ("R26", "R85"),
        "tests/core/test_criteria.py::test_a_day_loss_itself_passes_and_more_holds_the_strategy",
    ),
    "oversized": Row(
        ("C4", "C15"),
        ("R25", "R37"),
        "tests/process/test_refusals.py::test_a_position_beyond_what_was_intended_may_only_be_reduced",
    ),
    "spec_changed": Row(("C12",), ("R49",), f"{_AGES}::test_changed_facts_of_an_instrument_halt_it"),
    "deadman_unarmed": Row(
        ("C18",), ("R31",), f"{_AGES}::test_a_switch_that_cannot_be_refreshed_halts_before_it_fires"
    ),
    "flatten": Row(
        ("C16", "C17"),
        ("R24", "R33"),
        "tests/core/test_flatten.py::test_flat_is_not_said_while_a_fill_is_not_booked",
    ),
    "reference_stale": Row(
        ("C11",),
        ("R53",),
        f"{_REFERENCE}::test_where_it_is_wanted_a_stale_file_holds_the_account_and_a_new_one_releases_it",
    ),
    "market_halt": Row(
        ("C11", "C15"),
        ("R50", "R89"),
        f"{_REFERENCE}::test_a_fall_of_the_benchmark_holds_the_account_by_steps_and_ends_below_the_first",
    ),
    "liquidation": Row(
        ("C20", "C28"),
        ("R81",),
        "tests/core/test_fills.py::test_the_venues_own_trade_is_booked_and_stops_everything",
    ),
}

_REFUSED = "tests/process/test_refusals.py::test_a_running_bot_refuses_as_each_check_says"
_BY_REFERENCE = "tests/process/test_reference.py::test_each_check_refuses_in_a_running_bot_and_lets_go_again"

# every refusal by its tag: the test in which a running bot refuses so
REFUSALS = {
    "held": _REFUSED,
    "not_allowed": _REFUSED,
    "not_trading": _REFUSED,
    "bad_terms": _REFUSED,
    "qty_out_of_range": _REFUSED,
    "under_notional": _REFUSED,
    "over_order_size": _REFUSED,
    "over_order_notional": _REFUSED,
    "over_position": _REFUSED,
    "over_gross": _REFUSED,
    "no_reference": _REFUSED,
    "stale_reference": _REFUSED,
    "outside_collar": _REFUSED,
    "slipped": _REFUSED,
    "duplicate_intent": _REFUSED,
    "not_reducing": _REFUSED,
    "over_rate": _REFUSED,
    "over_day": _REFUSED,
    "too_many_orders": _REFUSED,
    "over_parent": _REFUSED,
    "self_match": _REFUSED,
    "no_such_own_order": _REFUSED,
    "unknown_equity": _REFUSED,
    "outside_hours": _BY_REFERENCE,
    "stale_facts": _BY_REFERENCE,
    "no_facts": _BY_REFERENCE,
    "over_volume": _BY_REFERENCE,
    "over_depth": _BY_REFERENCE,
    "outside_bands": _BY_REFERENCE,
    "over_share": _BY_REFERENCE,
    "over_net": _BY_REFERENCE,
    "over_flow": _REFUSED,
    "walked": _REFUSED,
}

BESIDE = {
    "a basket, judged as a whole (`judge_basket`)": Row(
        ("C1", "C4", "C5"),
        ("R36", "R37"),
        "tests/process/test_refusals.py::test_a_basket_leaves_whole_or_not_at_all",
    ),
    "reference data that is read, fed and shown": Row(
        ("C11", "C27"),
        ("R39", "R41", "R50"),
        "tests/process/test_reference.py::test_each_check_refuses_in_a_running_bot_and_lets_go_again",
    ),
    "the exit lane (`judge_exit`)": Row(
        ("C16",),
        ("R24",),
        "tests/core/test_flatten.py::test_exits_are_reduce_only_clipped_and_one_at_a_time",
    ),
    "only the gate makes an `Approved`": Row(
        ("C1",), ("R36",), "tests/repo/test_tidy.py::test_the_source_is_tidy"
    ),
    "the latch at the socket write": Row(
        ("C13",),
        ("R22",),
        "tests/process/test_halt.py::test_nothing_that_waits_for_the_socket_leaves_after_a_halt",
    ),
    "cancel-all, then each order by name": Row(
        ("C14",), ("R24",), f"{_PEOPLE}::test_a_cancel_all_that_is_lost_is_made_good_order_by_order"
    ),
    "an order in doubt counts in full": Row(
        ("C4", "C24"),
        ("R37",),
        "tests/core/test_doubt.py::test_an_unknown_answer_makes_the_order_unknown_and_keeps_it_counted",
    ),
    "an overfill is applied, and is a break": Row(
        ("C20",), ("R76",), "tests/core/test_fills.py::test_an_overfill_is_applied_and_is_a_break"
    ),
    "the journal before the socket": Row(
        ("C22", "C23"),
        ("R67",),
        "tests/process/test_kill.py::test_killed_again_and_again_it_loses_no_order_and_doubles_none",
    ),
    "the watchdog": Row(
        ("C19",),
        ("R29",),
        "tests/watchdog/test_watchdog.py::test_a_dead_bot_is_paged_fenced_and_cancelled_once",
    ),
    "limits beside their hard caps, their use, and its age": Row(
        ("C27",),
        ("R91",),
        "tests/runtime/test_limits.py::test_every_limit_stands_beside_its_cap_its_use_and_the_age_of_that",
    ),
    "hard caps that no command passes": Row(
        ("C5", "C34"),
        ("R44",),
        "tests/core/test_limits.py::test_two_people_raise_a_limit_up_to_its_hard_cap_and_not_beyond",
    ),
    "a firm's shares within its cap": Row(
        ("C5",), ("R44",), "tests/config/test_firm.py::test_shares_beyond_the_cap_are_one_line"
    ),
    "two people, or one and the cooling delay": Row(
        ("C34",),
        ("R88",),
        "tests/process/test_limits.py::test_a_limit_is_shown_lowered_raised_by_two_and_kept",
    ),
    "break-glass that closes by itself": Row(
        ("C34",),
        ("R36",),
        "tests/core/test_limits.py::test_broken_glass_opens_one_limit_and_closes_by_itself",
    ),
    "the risk ladder, every state and push": Row(
        ("C6",),
        ("R86", "R88"),
        "tests/core/test_hold_states.py::"
        "test_no_state_is_left_for_a_looser_one_but_by_a_person_or_a_rule_that_says_so",
    ),
    "every fill has an owner": Row(
        ("C28",), ("R82",), "tests/core/test_flatten.py::test_the_houses_exit_closes_what_each_strategy_holds"
    ),
}

WORDS = """\
What keeps an order from being sent, and what stops trading: for each, the capability that this project set itself (R), the
control (C), the section or article that asks for it, and the test that fails without it. FIA: *Best Practices for Automated
Trading Risk Controls and System Safeguards*, July 2024. 15c3-5: the SEC's market access rule. RTS 6: Delegated Regulation (EU)
2017/589. These references say what a control is about; they are no legal advice, and no claim that a rule is met. The numbers
behind them are [limits](reference/configuration.md#limitsaccount); [change a limit](how-to/change-a-limit.md) says who may."""
