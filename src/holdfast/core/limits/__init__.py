"""The limits in force: the configuration's numbers, what people changed since, and what is broken open for minutes."""
