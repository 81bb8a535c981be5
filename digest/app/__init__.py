"""The parts put together, and one function for each thing that commands and pages ask for."""

from digest.app.watch import Happening, Kind, Watch
from digest.app.wiring import App, open_app

__all__ = ["App", "Happening", "Kind", "Watch", "open_app"]
