"""Getting a person: a page goes every way that is configured, each with its own patience; none makes another wait."""
