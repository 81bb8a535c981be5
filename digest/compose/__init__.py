"""Posts → edition: stories, topics, and a frozen snapshot."""
