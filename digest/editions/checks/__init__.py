"""Find out what the preflight needs to know about an edition: its links, its readers, its spam points."""
