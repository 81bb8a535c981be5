"""Edition → HTML and text."""
