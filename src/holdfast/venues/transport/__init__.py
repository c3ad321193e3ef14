"""What every venue client shares: the last hop, the guarded session, the hardened ccxt, the rate budget, time."""
