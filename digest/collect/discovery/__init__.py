"""Find the feeds of a site, by its address."""
