"""A journal and a market log in memory: the bytes of the records, and what a crash leaves of them."""

from hashlib import blake2b

from holdfast.journal.codec import decode_record, encode_record


class MemoryJournal:
    """Fulfils ``ports.journal.JournalPort``."""

    full = False

    def __init__(self):
        self.frames = []  # (market position, payload)
        self.written = 0
        self.synced = 0

    @property
    def record_count(self):
        return len(self.frames)

    def append(self, record, market_pos, *, urgent=False):
        self.frames.append((market_pos, encode_record(record)))

    def write(self):
        self.written = len(self.frames)
        return self.written

    def sync(self):
        self.written = self.synced = len(self.frames)
        return self.synced

    def close(self):
        self.sync()

    # --- what is left ---------------------------------------------------------------------------------------

    def loses(self, rng, *, power):
        """The process died: what was not written is gone; with the power some of what was not synced too."""
        kept = rng.randrange(self.synced, self.written + 1) if power else self.written
        lost = len(self.frames) - kept
        del self.frames[kept:]
        self.written = self.synced = kept
        return lost

    def records(self):
        """Decoded from the bytes, with index and market position."""
        return [(index, pos, decode_record(payload)) for index, (pos, payload) in enumerate(self.frames)]

    def digest(self):
        hashed = blake2b(digest_size=16)
        for pos, payload in self.frames:
            hashed.update(pos.to_bytes(8, "little") + payload)
        return hashed.hexdigest()


class MemoryLog:
    """Fulfils ``ports.journal.MarketLogPort``; keeps the events themselves."""

    def __init__(self):
        self.events = []

    @property
    def frame_count(self):
        return len(self.events)

    def append(self, raw, wall_ns, mono_ns, feed=0):
        self.events.append(raw)

    def flush(self): ...

    def close(self): ...

    def at_least(self, pos):
        """A journal that counts on more frames than are here gets empty ones."""
        self.events.extend([None] * (pos - len(self.events)))
