"""Do what the staff asks of their accounts: one operation for each request."""
