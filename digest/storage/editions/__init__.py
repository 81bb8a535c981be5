"""Keep editions: frozen snapshots with their hashes, the steps that change their state, and their posts."""
