"""The wheel is complete: installed in an empty environment, it works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of programs of an environment with the wheel and what it asks for, no more."""
    folder = tmp_path_factory.mktemp("bare")
    run(str(UV), "venv", "--quiet", "--python", sys.executable, str(folder))
    python = str(folder / "bin" / "python")
    lock = str(ROOT / "requirements.lock")
    run(str(UV), "pip", "install", "--quiet", "--python", python, "--constraint", lock, str(wheel))
    return folder / "bin"


def test_the_wheel_holds_the_packages_the_templates_and_the_sample_configuration(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    source = [*ROOT.glob("digest/**/*"), *ROOT.glob("subscribers/**/*")]
    expected = {
        str(path.relative_to(ROOT)) for path in source if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {f"digest/{path.relative_to(ROOT)}" for path in ROOT.glob("templates/**/*") if path.is_file()}
    expected |= {f"digest/{path.relative_to(ROOT)}" for path in ROOT.glob("samples/*")}
    expected.add("digest/config.toml")
    assert {name for name in names if ".dist-info/" not in name} == expected


def test_a_bare_environment_goes_from_init_to_preview(bare: Path, tmp_path: Path) -> None:
    digest = str(bare / "digest")
    run(digest, "init", "site", cwd=tmp_path)
    site = tmp_path / "site"
    run(digest, "check", cwd=site)
    run(digest, "collect", cwd=site)
    run(digest, "compose", "daily", cwd=site)
    (edition, *_) = json.loads(run(digest, "editions", "--json", cwd=site))
    run(digest, "preview", edition["id"], "--out", "look", cwd=site)
    assert {path.suffix for path in (site / "look").iterdir()} >= {".html", ".txt", ".eml"}


def run(*command: str, cwd: Path | None = None) -> str:
    # Python keeps what it compiles, as it does for an operator; many containers tell it not to.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
