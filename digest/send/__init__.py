"""Edition → inboxes: messages, the wire, and a ledger that is true."""
