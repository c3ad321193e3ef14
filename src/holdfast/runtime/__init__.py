"""The trading process: its loop, its last hop, its timers, its one door. Nothing is imported here."""
