"""The collector is out of the way while trading, and back as it was afterwards."""

import gc

from holdfast.runtime.garbage import YOUNG_MAX, rare_rounds


def test_rounds_are_rare_within_and_as_before_afterwards():
    """A full round over all that was imported would stop trading for tens of milliseconds."""
    before = gc.get_threshold()
    with rare_rounds():
        assert YOUNG_MAX == gc.get_threshold()[0]
        assert gc.get_freeze_count() > 0
    assert before == gc.get_threshold()
    assert 0 == gc.get_freeze_count()


def test_cycles_made_meanwhile_are_still_collected():
    """Rare is not never: a leak would end a long run."""
    with rare_rounds():
        before = len(gc.get_objects())
        for _ in range(3 * YOUNG_MAX):
            knot: list[object] = []
            knot.append(knot)
        del knot
        assert len(gc.get_objects()) - before < 2 * YOUNG_MAX
