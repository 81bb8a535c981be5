"""Let the staff in: who may do what, signing in, and what all pages of the staff share."""
