"""What all sections of a configuration share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Alignment = Literal["auto", "world", "grid", "centre", "masks"]
Workers = Annotated[int, Field(ge=0, le=4096)] | Literal["auto"]
MODEL_NAME = "lung_ct_registration"
MODEL_NAME_FORM = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
"""What a model may be called; an alias, too."""


class Section(BaseModel):
    """What all sections share: frozen, nothing unknown, documented attributes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),  # keys about models begin with model_
    )


DEVICE = r"^(auto|cpu|mps|cuda(:\d+)?)$"


DEVICES = "auto, cpu, cuda, cuda:N, mps"
"""The same, for people."""
