"""The simulated venue's volume of the last 24 hours, which a limit may be measured by."""

from holdfast.sim.day_volume import DayVolume

MINUTE = 60 * 10**9
DAY = 24 * 60 * MINUTE


def test_a_print_counts_for_24_hours_and_not_longer():
    volume = DayVolume()
    volume.trade(5, MINUTE)
    volume.trade(7, 2 * MINUTE)
    assert 12 == volume.lots(DAY)
    assert 7 == volume.lots(DAY + MINUTE)
    assert 0 == volume.lots(DAY + 2 * MINUTE)
    volume.trade(3, 3 * DAY)
    assert 3 == volume.lots(3 * DAY)
