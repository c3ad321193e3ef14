"""The simulated venue: a USD-M futures exchange in Binance's words, in process or behind sockets.

The engine (``exchange`` and what it is made of) is deterministic: no clock, no randomness, no I/O. Sources
feed it market data; the server and the in-process port put it in front of clients.
"""
