"""Commands about people: readers, and the staff."""
