"""What people use: one table of commands and its faces. Nothing is imported here: a halt must start in a blink."""
