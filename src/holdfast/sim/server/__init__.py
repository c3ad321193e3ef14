"""The simulated venue behind sockets: Binance's USD-M REST and WebSocket dialect in front of the exchange."""

from holdfast.sim.server.app import SimRefused, SimServer, serve, source_of

__all__ = ["SimRefused", "SimServer", "serve", "source_of"]
