"""The deterministic simulation: whole bots in virtual time from a seed, with everything going wrong, and an auditor."""
