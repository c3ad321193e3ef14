"""The composition root: it alone plugs concrete venues, feeds, files and clocks into the ports."""
