"""Save what documents bring: which posts of a feed are stored, and what becomes of them in each digest."""
