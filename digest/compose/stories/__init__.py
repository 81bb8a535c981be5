"""Posts → stories: which posts tell the same story, and which one is shown."""
