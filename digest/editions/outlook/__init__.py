"""How an edition stands: its phase, its sentence, and its times on a line. Everything here is pure."""
