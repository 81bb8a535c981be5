"""Who asked for what, and who may be mailed: consent, preferences, suppression."""
