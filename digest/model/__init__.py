"""The product's terms as frozen values, and its errors; no code here does I/O or reads the clock."""
