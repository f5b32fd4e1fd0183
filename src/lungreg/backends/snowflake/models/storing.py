"""What storing a model needs, tried before a training: no run trains for hours in order to fail."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.config import SnowflakeBackend
from lungreg.errors import ForbiddenError, RunError

_AFTER_UPGRADE = "after an upgrade run 'lungreg setup --execute' again"


CUDA_OF_TORCH = {
    "2.8": ("12.6", "12.8", "12.9"),
    "2.9": ("12.6", "12.8", "13.0"),
    "2.10": ("12.6", "12.8", "13.0"),
    "2.11": ("12.6", "12.8", "13.0"),
}
"""The CUDA versions whose index at download.pytorch.org has a PyTorch, by its first two numbers.
From the compatibility table of replicate/cog, 2026-11; the index of 12.4 ends with 2.6."""


def save_options(settings: SnowflakeBackend) -> dict[str, Any]:
    """The options of `log_model`: a CUDA version, and no sample row, which would name a case."""
    return {"cuda_version": settings.model_cuda_version, "capture_sample_input_data": False}


def try_storing(source: SessionSource) -> None:
    """Try what `log_model` does first, which CREATE MODEL does not allow: make a temporary stage.

    It is empty and ends with the session, as the client's own does.

    Raises:
        RunError: The installed client does not know an option that a model is stored with.
        ForbiddenError: This role may not make the stage.
    """
    refuse_unknown_options(save_options(source.settings))
    refuse_cuda_without_torch(source.settings)
    stage = f"{source.settings.utils}.LUNGREG_TRIAL_{secrets.token_hex(6)}".upper()
    try:
        source.run(f"CREATE SCOPED TEMPORARY STAGE {stage}")
    except ForbiddenError as error:
        error.mend = "; ".join(part for part in (error.mend, _AFTER_UPGRADE) if part)
        raise


def refuse_cuda_without_torch(settings: SnowflakeBackend) -> None:
    """Refuse a CUDA version that PyTorch's own index has not this installation's PyTorch for.

    The image of batch inference would get a PyTorch of another CUDA version, or none. A PyTorch
    that the table does not know, and requirements of the configuration, are left to the index.

    Raises:
        RunError: The index has it not.
    """
    torch = ".".join(metadata.version("torch").split(".")[:2])
    offered = CUDA_OF_TORCH.get(torch, ())
    wanted = settings.model_cuda_version
    if offered and wanted not in offered and not settings.model_pip_requirements:
        msg = "PyTorch's index of backend.model_cuda_version has the installed PyTorch"
        mend = f"set backend.model_cuda_version to one of {', '.join(offered)}"
        raise RunError(msg, got=f"none of PyTorch {torch} for CUDA {wanted}", mend=mend)


def refuse_unknown_options(names: Iterable[str]) -> None:
    """Refuse options of `log_model` that the installed client would refuse.

    Raises:
        RunError: It does not know one.
    """
    from snowflake.ml.model.type_hints import CustomModelSaveOption

    known = CustomModelSaveOption.__annotations__
    if unknown := [name for name in names if name not in known]:
        msg = "the installed snowflake-ml-python knows the options that a model is stored with"
        mend = "install a release that lungreg[snowflake] allows, or take a newer backend.runtime"
        raise RunError(msg, got=f"one without {', '.join(unknown)}", mend=mend)
