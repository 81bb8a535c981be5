"""One operation for each request of readers, and of operators about the list."""
