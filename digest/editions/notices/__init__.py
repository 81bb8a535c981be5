"""Tell the staff about editions: queue their messages, write them, and follow the links in them."""
