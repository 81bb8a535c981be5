"""Read for the desk: counts of posts, lists of posts, and which editions are open."""
