"""Words: what publishers write around a post, and the marks in it, in the languages that they write."""
