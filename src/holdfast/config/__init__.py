"""What the operator wrote down: a strict TOML file, its secrets beside it, and the settings made of both."""
