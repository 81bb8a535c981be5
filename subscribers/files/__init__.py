"""Import and export of the list as CSV files."""
