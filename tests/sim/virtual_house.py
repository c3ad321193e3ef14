"""Virtual time: an event loop that jumps to its next timer as soon as no socket has anything to say."""

import asyncio
import selectors


class _Eager(selectors.DefaultSelector):
    """Looks at the sockets for a moment, and where they are silent lets the clock jump instead of waiting."""

    def __init__(self):
        super().__init__()
        self.now_s = 1_000.0

    def select(self, timeout=None):
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        # Bytes on their way through the loopback are not there yet: give them a moment of real time.
        ready = super().select(0.002 if timeout is None or timeout > 0.002 else timeout)
        if not ready and timeout is not None:
            self.now_s += timeout
        return ready if ready or timeout is not None else super().select(0.01)


class VirtualLoop(asyncio.SelectorEventLoop):
    """``time()`` is virtual."""

    def __init__(self):
        self._eager = _Eager()
        super().__init__(self._eager)

    def time(self):
        return self._eager.now_s


class VirtualClock:
    """The venue's clock, driven by the loop."""

    def __init__(self, loop, start_ns):
        self._loop = loop
        self._start_ns = start_ns
        self._zero_s = loop.time()

    def wall_ns(self):
        return self._start_ns + round((self._loop.time() - self._zero_s) * 1e9)

    def mono_ns(self):
        return self.wall_ns() - self._start_ns


def run_virtual(main):
    """Run ``main(loop)`` on a loop of its own."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
