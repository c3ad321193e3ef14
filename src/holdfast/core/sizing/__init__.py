"""Stage 2: turn targets into orders, and make risk smaller where a hold asks for it. Before the gate."""
