"""Read a rendered email as a mail program does: its elements, their styles, and its footer."""
