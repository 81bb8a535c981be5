"""What the desk reads: counts of posts, lists of posts, and which editions are open."""
