"""The edits of an edition: what editors may do with it, and the edition that this makes."""
