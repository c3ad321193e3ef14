"""Stage 5: fills once, exact cost, and one owner of position and cash."""
