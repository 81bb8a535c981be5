"""Posts → edition: group posts into stories, place them under topics, freeze the result."""
