"""The scheduler: the verbs, when they are due."""
