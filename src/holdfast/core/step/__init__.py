"""One step: an event in, facts and effects out. This package alone knows the order of the stages."""

from holdfast.core.step.machine import step

__all__ = ["step"]
