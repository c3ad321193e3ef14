"""The simulated venue, and standing orders for a rescue with the waits of a test."""

import shutil
import tempfile
import threading
import time
from decimal import Decimal

import pytest
from msgspec import structs

from holdfast.sim.config import LimitsConfig, SimConfig
from holdfast.watchdog.orders import Asks, ExitLimits, Orders, Policy
from tests.house.simulated import served

PLAIN = Orders(
    policy=Policy.CANCEL,
    keep_protective=False,
    limits={
        "BTCUSDT": ExitLimits(clip=Decimal("0.25"), collar_ppm=20_000),
        "ETHUSDT": ExitLimits(clip=Decimal(4), collar_ppm=20_000),
    },
    window_s=0.0,
    exit_window_s=0.4,
    read_gap_s=0.05,
    retry_s=0.05,
    escalate_after_s=30.0,
)


def some_orders(**changes):
    return structs.replace(PLAIN, **changes)


class Asked:
    """What a rescue asks, answered from plain attributes; keeps what was said."""

    def __init__(self):
        self.fenced = True
        self.alone = True
        self.said = []
        self.late = []
        self.ending = threading.Event()
        self.asks = Asks(
            fenced=lambda: self.fenced,
            alone=lambda: self.alone,
            wait=self.ending.wait,
            say=self.said.append,
            unresolved=self.late.append,
            now_s=time.monotonic,
        )


@pytest.fixture
def asked():
    return Asked()


@pytest.fixture
def venue():
    with served(SimConfig(limits=LimitsConfig(weight_per_minute=600_000))) as one:
        yield one


@pytest.fixture
def guard():
    directory = tempfile.mkdtemp(prefix="hf-test-", dir="/dev/shm")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def eventually(holds, what, timeout_s=15):
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.02)
