"""The gate's checks of flow refusing in whole runs: the product's own market, journal and venue, a bad strategy."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.app.test_backtest import ROOT, holdfast

APP = ROOT / "src" / "holdfast" / "app"


def a_run(
    tmp_path: Path, *, strategy: str = "Misbehaving", params: str = "", tables: str = "", **edits: str
) -> dict[str, Any]:
    """A backtest of one misbehaving strategy under the demonstration's limits, some of them changed."""
    text = (APP / "demo.toml").read_text()
    head, tail = text[: text.index("[strategy.quoter]")], text[text.index("[paths]") :]
    for name, value in edits.items():
        assert f"\n{name} = " in head, name
        head = "\n".join(
            f"{name} = {value}" if line.startswith(f"{name} = ") else line for line in head.splitlines()
        )
    for other in ("momentum",):
        start = head.index(f"[limits.strategy.{other}.BTCUSDT]")
        head = head[:start] + head[head.index("[timings]") :]
    body = (
        f'{head}\n[strategy.quoter]\nclass = "tests.app.flow_strategies:{strategy}"\n'
        f'instruments = ["BTCUSDT", "ETHUSDT"]\n\n[strategy.quoter.params]\n{params}\n\n{tables}\n\n{tail}'
    )
    for beside in ("demo-caps.toml", "demo-reference.toml"):
        shutil.copy(APP / beside, tmp_path)
    (tmp_path / "bot.toml").write_text(body)
    done = holdfast(
        "backtest",
        "--config",
        str(tmp_path / "bot.toml"),
        "--quotes",
        "1200",
        "--seed",
        "5",
        "--json",
        PYTHONPATH=f"{ROOT / 'src'}:{ROOT}",
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert answer["books_equal"]
    assert answer["state_hash"] == answer["replay_hash"]
    return answer


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return a_run(tmp_path_factory.mktemp("flow"))


def test_it_meets_no_order_of_its_own_and_sends_no_more_children_than_their_parent(
    ran: dict[str, Any],
) -> None:
    refused = ran["refusals_by_reason"]
    assert refused["self_match"] > 20
    assert refused["over_parent"] > 10
    assert "over_rate" not in refused
    assert "over_day" not in refused


def test_what_goes_one_way_at_once_and_what_walks_the_price_are_refused(tmp_path: Path) -> None:
    table = '[flow.BTCUSDT]\nwindow = "10s"\nsame_side_max = "1000 USDT"\nwalk_max = "0.01%"\n'
    answer = a_run(tmp_path, tables=table)
    assert answer["refusals_by_reason"]["over_flow"] > 10
    assert answer["refusals_by_reason"]["walked"] > 1


def test_a_strategy_that_its_criteria_break_is_held(tmp_path: Path) -> None:
    table = (
        '[criteria.quoter]\nday_loss_max = "0.01 USDT"\ndrawdown_max = "1 USDT"\nfill_share_min = "1%"\n'
        'slippage_cost_max = "1000 USDT"\nreject_share_max = "100%"\norders_min = 10\nwindow = "20s"\n'
        'over_intended_max = "1.5x"\n'
    )
    answer = a_run(tmp_path, tables=table)
    assert any("hold.criteria" in alert for alert in answer["alerts"])
    assert answer["refusals_by_reason"]["held"] > 20


def test_a_day_that_is_used_up_refuses_the_rest(tmp_path: Path) -> None:
    answer = a_run(tmp_path, orders_per_day_max="25")
    assert answer["refusals_by_reason"]["over_day"] > 20
    assert 25 == answer["orders"]


def test_a_strategy_that_asks_too_often_is_refused_and_more_often_halted(tmp_path: Path) -> None:
    answer = a_run(tmp_path, params="asks = 25\nevery_ms = 1000")
    assert answer["refusals_by_reason"]["over_rate"] > 10
    assert answer["orders"] > 20
    assert not any("hold.runaway" in alert for alert in answer["alerts"])
    answer = a_run(tmp_path, params="asks = 40\nevery_ms = 1000")
    assert any("hold.runaway" in alert for alert in answer["alerts"])
    assert 0 == answer["orders"]


def test_more_than_the_account_may_in_a_second_kills_and_exits(tmp_path: Path) -> None:
    answer = a_run(
        tmp_path,
        params="asks = 60\nevery_ms = 1000",
        orders_per_s_halt="99",
    )
    assert any("hold.order_rate" in alert for alert in answer["alerts"])
    assert {0} == set(answer["position_ours"].values())


def test_baskets_leave_whole_or_not_at_all_and_replay_to_the_same(tmp_path: Path) -> None:
    """Every third has a leg that is too large, after two that have none."""
    answer = a_run(tmp_path, strategy="Paired")
    refused = answer["refusals_by_reason"]
    assert {"over_order_size"} == {*refused}
    assert refused["over_order_size"] > 10
    assert answer["orders"] in range(4 * refused["over_order_size"], 4 * refused["over_order_size"] + 5)
