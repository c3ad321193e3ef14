"""The last resort: judges from outside whether the bot is dead, pages, fences it, cancels, and where told to, flattens.

Shares no decision code with the bot. The dead switch within the trading process uses ``rescue`` and what is below it;
judging, fencing and paging are the watchdog's alone.
"""
