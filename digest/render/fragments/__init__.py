"""Find the parts that emails of different topic choices share, and render each once."""
