"""The list of subscribers: their consent and preferences, and the rules on who may be mailed."""
