"""What the inside of the house expects of the outside: Protocols only, promises in their docstrings."""
