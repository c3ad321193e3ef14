"""The simulated venue's ground truth, from its control port: never through our own adapter."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from holdfast.app.summary import TrueFill, Truth

TIMEOUT_S = 30


def read_truth(control_url: str, account: str = "") -> Truth:
    """One account's truth. Errors: OSError when the control port does not answer."""
    found = ask_control(f"{control_url}/truth?requests=0" + (f"&account={account}" if account else ""))
    return Truth(
        fills=tuple(
            TrueFill(
                instrument=one["symbol"],
                trade_id=str(one["trade_id"]),
                client_id=one["client_id"],
                side=1 if one["side"] == "BUY" else -1,
                qty_lots=one["qty_lots"],
                price_ticks=one["price_ticks"],
                fee_e8=one["fee_e8"],
                fee_asset=one["fee_asset"],
            )
            for one in found["trades"]
        ),
        executed_ns={(one["symbol"], str(one["trade_id"])): one["venue_ns"] for one in found["trades"]},
        open_client_ids=tuple(one["client_id"] for one in found["open_orders"])
        + tuple(one["client_algo_id"] for one in found["open_algo_orders"]),
        position_lots={one["symbol"]: one["position_lots"] for one in found["positions"]},
        wallet_e8={one["asset"]: one["wallet_e8"] for one in found["balances"]},
    )


def ask_control(url: str) -> Any:
    """GET a JSON document of the control port."""
    if not url.startswith("http://127.0.0.1:"):
        raise OSError(f"a control port is on this machine only, not at {url}")
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the line above
        return json.loads(answer.read())
