"""The pictures of a post: where a feed offers them, their sizes, and the reasons against them."""
