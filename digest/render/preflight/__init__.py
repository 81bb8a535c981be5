"""Check an edition and its emails before anybody gets them; each rule has a name."""

from digest.render.preflight.email import BLOCK_SIZE, encoded_size, preflight
from digest.render.preflight.findings import Finding, Level
from digest.render.preflight.subject import cut_lines

__all__ = ["BLOCK_SIZE", "Finding", "Level", "cut_lines", "encoded_size", "preflight"]
