"""One operation for each request about editions: compose, preview, approve, send, read."""
