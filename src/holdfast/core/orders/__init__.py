"""Stage 4: the life of an order, from approval to the venue's last word on it."""
