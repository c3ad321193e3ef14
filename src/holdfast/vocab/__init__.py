"""The nouns of the house: units, ids, events, facts, effects, outcomes and the invariant.

Everything here is a frozen record or a pure function of integers. Nothing here does I/O, reads a clock or
draws a random number; every other package may import it, and it imports none of them.
"""
