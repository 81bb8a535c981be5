"""Edit editions, and take what has happened to their posts into them."""
