"""Show an edition to its editors: its email as anybody gets it, its readers, its history, the comments."""
