"""The parts of a logged model: its files, the package's code, requirements and signature."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from lungreg.backends.snowflake.installed import (
    PACKAGE,
    add_file,
    package_files,
    requirements_of,
)
from lungreg.backends.snowflake.models.rows import INPUT_COLUMNS, OUTPUT_COLUMNS
from lungreg.records import ModelCard
from lungreg.stores.names import CARD_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
    from snowflake.ml.model.custom_model import CustomModel
    from snowflake.ml.model.model_signature import ModelSignature

_NOT_NEEDED = {"duckdb", "fsspec", "mlflow", "pooch", "requests", "rich", "typer"}
"""Requirements of the package that registering a row does not import."""
_CODE = '''"""lungreg beside a model, in one file: a model's files are copied one by one."""

from pathlib import Path

__version__ = {version!r}
__path__ = [str(Path(__file__).with_name("lungreg.zip") / "lungreg")]
'''


def write_files(folder: Path, card: ModelCard, weights: bytes) -> dict[str, str]:
    """Write a model's own files; returns their paths, by their names in `PackagedModel`."""
    card_file, weights_file = folder / CARD_FILE, folder / WEIGHTS_FILE
    card_file.write_text(card.to_json(), encoding="utf-8")
    weights_file.write_bytes(weights)
    return {"card": str(card_file), "weights": str(weights_file)}


def packaged(files: dict[str, str]) -> CustomModel:
    """The model object that Snowflake stores, with the files of `write_files`."""
    from snowflake.ml.model.custom_model import ModelContext

    from lungreg.backends.snowflake.models.packaged_model import PackagedModel

    return PackagedModel(ModelContext(artifacts=files))


def write_code(folder: Path) -> Path:
    """Write the package so that `import lungreg` finds it in `folder`; returns its own folder."""
    package = folder / PACKAGE
    package.mkdir()
    text = _CODE.format(version=metadata.version(PACKAGE))
    (package / "__init__.py").write_text(text, encoding="utf-8")
    (package / "lungreg.zip").write_bytes(_zipped())
    return package


def requirements() -> list[str]:
    """The requirements of the model, pinned to the versions of this installation.

    PyTorch may be a later patch: an exact pin is rewritten by Snowflake's client to the build for
    `cuda_version`, such as torch==2.8.0+cu124, whether there is one or not.
    """
    names = sorted(canonicalize_name(one.name) for one in requirements_of(PACKAGE, ["", "train"]))
    return [
        f"{name}{'~=' if name == 'torch' else '=='}{_public_version(name)}"
        for name in names
        if name not in _NOT_NEEDED
    ]


def signatures() -> dict[str, ModelSignature]:
    """Columns and types of `predict`."""
    from snowflake.ml.model.model_signature import DataType, FeatureSpec, ModelSignature

    types = {str: DataType.STRING, float: DataType.DOUBLE, bytes: DataType.BYTES}

    def columns(kinds: dict[str, type[Any]]) -> list[FeatureSpec]:
        return [FeatureSpec(name=name, dtype=types[kind]) for name, kind in kinds.items()]

    inputs, outputs = columns(INPUT_COLUMNS), columns(OUTPUT_COLUMNS)
    return {"predict": ModelSignature(inputs=inputs, outputs=outputs)}


@cache
def _zipped() -> bytes:
    """The package's files as one archive, which Python imports from."""
    archived = io.BytesIO()
    with zipfile.ZipFile(archived, "w") as archive:
        for name, data in package_files():
            add_file(archive, name, data)
    return archived.getvalue()


def _public_version(name: str) -> str:
    """Without a build's local label: 2.8.0 for 2.8.0+cpu, which only one index has."""
    return Version(metadata.version(name)).public
