"""Judges from outside whether the bot is dead, fences it, and cancels. Shares no decision code with the bot."""
