"""Turn an edition's emails into the bytes of each reader's message."""
