"""Sources of posts that are more than one document at one address."""
