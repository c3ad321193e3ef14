"""What is forbidden now, why, and what releases it."""
