"""Protect the pages: headers, size limits, rate limits, proofs of work and signed tickets."""
