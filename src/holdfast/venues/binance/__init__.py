"""Binance USD-M futures, and venues that speak its dialect."""
