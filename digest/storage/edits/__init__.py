"""Store the edits of editions, and what they do to posts."""
