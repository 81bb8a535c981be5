"""One call of the command line: its options, and how its results are printed."""
