"""The demo: invented feeds come in and emails go out, with servers on loopback."""
