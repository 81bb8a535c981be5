"""Find the sections of publishers in what they write into their feeds, and the headings of an edition."""
