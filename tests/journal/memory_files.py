"""The simulation's disk, which stops or refuses at a call that is named by its number."""

from collections import Counter

from holdfast.sim.files import SimFiles


class Crash(BaseException):
    """The machine stopped here."""


class MemoryFiles(SimFiles):
    """Calls are numbered from 1 on; the faults of ``SimFiles`` strike at those numbers."""

    def __init__(self):
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.call_count = 0
        self.crash_at = None  # number of the call at which the machine stops …
        self.torn = False  # … halfway through it where it is a write, else before it
        self.fail_at = {}  # number of a call → errno
        self.refuses = self._fails
        self.goes = self._half

    def _fails(self, name):
        self.calls[name] += 1
        self.call_count += 1
        if self.crash_at == self.call_count and not (self.torn and name == "write"):
            raise Crash(name)
        return self.fail_at.get(self.call_count, 0)

    def _half(self, count):
        return count // 2 if self.crash_at == self.call_count else count

    def write(self, handle, data, offset):
        count = super().write(handle, data, offset)
        if self.crash_at == self.call_count:
            raise Crash("write")
        return count
