"""The templates as they ship, today's and earlier ones, and the operator's copies of them."""
