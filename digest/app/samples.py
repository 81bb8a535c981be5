"""Write the sample configuration and its feeds: the files that ship with the program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import digest
from digest.errors import DigestError

_SAMPLES = ("config.toml", "samples/harbour-gazette.xml", "samples/orchard-notes.json")


class SampleError(DigestError):
    """A sample file cannot be written."""


def write_samples(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Write each sample file under `folder` and yield its path, with False when one was there already.

    Raises SampleError when the folder or a file cannot be made.
    """
    for name in _SAMPLES:
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(shipped(name).read_bytes())
        except FileExistsError:
            yield target, False
        except OSError as error:
            raise SampleError(f"{target}: cannot be written: {error.strerror}") from error
        else:
            yield target, True


def shipped(name: str) -> Path:
    """Return a file that ships with the program: inside the package when installed, else one level up."""
    package = Path(digest.__file__).parent
    inside = package / name
    return inside if inside.exists() else package.parent / name
