from __future__ import annotations

import subprocess
import sys


def test_without_an_engine_nothing_of_procrastinate_is_imported() -> None:
    program = (
        "import sys, digest.cli.serve, digest.cli.operate, digest.check.check;"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'procrastinate', 'psycopg'}))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
