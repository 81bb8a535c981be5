"""Send an edition to its readers, and record in the ledger what happened to each message."""
