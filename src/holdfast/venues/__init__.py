"""Sockets to exchanges: signing, rate budgets, decoding; the only place where trading I/O fails into an Outcome."""
