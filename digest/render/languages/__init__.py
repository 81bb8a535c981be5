"""Fixed texts, dates and cadences in the languages of readers."""
