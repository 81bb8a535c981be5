"""Keep the ledger of deliveries: one row for each edition and subscriber, correct after any crash."""
