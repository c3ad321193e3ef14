"""The two things that dispatch reads before every write: the latch and the lease.

``latch`` is imported by ``holdfast halt``: it stays light, and nothing is imported here.
"""
