"""Any exchange that ccxt knows, through its unified calls on our hardened subclass."""
