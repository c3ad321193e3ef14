"""Copies of a running core, for tests that look at every way on from thousands of states.

What never changes (classes, enums, the settings and what they consist of) is shared: to make that anew, or to look it
up by name, costs more than the rest.
"""

import gc
import io
import pickle
from enum import Enum

from msgspec import Struct

_STORY = ("records", "effects", "alerts", "answers", "delivered", "sent")  # of a room: told, and never asked


class Copies:
    """Makes copies of one core and of all that come of it, venue and clock included."""

    def __init__(self, room):
        self._shared = [*_parts(room.state.live.settings), *_parts(room.config), *_classes_and_enums()]
        self._numbers = {id(one): number for number, one in enumerate(self._shared)}

    def kept(self, room):
        """A core as bytes, without the story of how it came there."""
        for story in (*(getattr(room, name) for name in _STORY), room.venue.asked):
            story.clear()
        file = io.BytesIO()
        pickler = pickle.Pickler(file, protocol=5)
        pickler.persistent_id = lambda one: self._numbers.get(id(one))
        pickler.dump(room)
        return file.getvalue()

    def made(self, kept):
        """A core from its bytes."""
        unpickler = pickle.Unpickler(io.BytesIO(kept))
        unpickler.persistent_load = self._shared.__getitem__
        return unpickler.load()


def _parts(one):
    """A frozen record with all that it consists of."""
    if isinstance(one, Struct):
        return [one, *(part for name in one.__struct_fields__ for part in _parts(getattr(one, name)))]
    return [one, *(part for each in one for part in _parts(each))] if isinstance(one, tuple) else []


def _classes_and_enums():
    classes = [kind for kind in gc.get_objects() if isinstance(kind, type)]
    return classes + [one for kind in classes if issubclass(kind, Enum) for one in kind]
