"""Import MONAI into a worker without the packages that only its other parts use."""

from __future__ import annotations

import sys
from importlib import import_module

from lungreg.extras import of_extra

OTHER_PARTS = ("ignite", "matplotlib", "mlflow", "pandas", "sklearn", "skimage", "tensorboard")
"""What MONAI draws, logs and computes scores with; it looks for them while it is imported."""


def import_lean_monai() -> None:
    """Import MONAI as if `OTHER_PARTS` were not installed, in half the time.

    Only for processes in which nothing but lungreg uses MONAI. Afterwards these packages can be
    imported as ever; those that are here already are left alone.

    Raises:
        MissingExtraError: MONAI is not installed.
    """
    hidden = [name for name in OTHER_PARTS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: cannot be imported
    try:
        with of_extra("train"):
            import_module("monai")
    finally:
        for name in hidden:
            del sys.modules[name]
