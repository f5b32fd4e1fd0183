"""What a worker imports of MONAI."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MONAI = """
import importlib
missing = []
for name in ("mlflow", "pandas", "sklearn", "json"):
    try:
        importlib.import_module(name)
    except ImportError:
        missing.append(name)
"""
CODE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import sklearn
from lungreg.distributed.lean_monai import import_lean_monai
import_lean_monai()
import mlflow, monai, pandas
print(json.dumps([monai.missing, mlflow.__name__, pandas.__name__]))
"""


def test_others_packages_are_hidden_from_monai_alone(tmp_path: Path) -> None:
    """What was imported before stays; what was hidden can be imported afterwards."""
    for name in ("mlflow", "pandas", "sklearn"):
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "monai.py").write_text(MONAI)
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [["mlflow", "pandas"], "mlflow", "pandas"]
