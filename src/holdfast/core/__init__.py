"""Everything that decides: a deterministic, synchronous state machine that knows only what it was told.

No I/O, clock, randomness, logging, threads, floats for money or user code. Same events in, same facts,
effects and hashes out.
"""
