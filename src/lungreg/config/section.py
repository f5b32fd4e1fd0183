"""The base class of all sections of a configuration, and the types that several of them use."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

Alignment = Literal["auto", "world", "grid", "centre", "masks"]
"""Ways to choose the initial alignment `A` of a pair."""
Workers = Annotated[int, Field(ge=0, le=4096)] | Literal["auto"]
"""Number of Ray workers; 0 computes in the calling process."""
MODEL_NAME = "lung_ct_registration"
"""Default name of a model."""
MODEL_NAME_FORM = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
"""Regular expression of the name of a model or of an alias."""
DEVICE_FORM = r"auto|cpu|mps|cuda(:\d+)?"
"""Regular expression of the name of a device."""
DEVICE_NAMES = "auto, cpu, cuda, cuda:N, mps"
"""The names that `DEVICE_FORM` accepts, for messages."""
Device = Annotated[str, Field(pattern=f"^({DEVICE_FORM})$")]
"""Name of the device that PyTorch computes on."""


def _describe_on_one_line(schema: dict[str, Any]) -> None:
    """Join the lines of each key's description, as editors and people without Python read it."""
    for key in schema.get("properties", {}).values():
        if "description" in key:
            key["description"] = " ".join(key["description"].split())


class Section(BaseModel):
    """Base class of all sections: frozen, refuses unknown keys, describes keys in the schema.

    The docstring under a key is the key's description in the JSON schema.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_extra=_describe_on_one_line,
        protected_namespaces=(),  # keys about models begin with model_
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse "yes" and "no" where a number is wanted, which pydantic would take as 1 and 0."""
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        if _holds_bool(value) and kinds & {int, float} and bool not in kinds:
            msg = "must be a number, not yes or no"
            raise ValueError(msg)
        return value


def _kinds(annotation: Any) -> set[Any]:
    """The types that an annotation consists of."""
    if isinstance(annotation, type) and not get_args(annotation):
        return {annotation}
    return set().union(*map(_kinds, get_args(annotation)))


def _holds_bool(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_bool, value))
    return isinstance(value, bool)


class WorkerRange(Section):
    """Limits of the number of Ray workers, where it may change while they work."""

    min: int = Field(default=1, ge=1)
    """Smallest number of workers to begin with."""
    max: int = Field(default=4, ge=1)
    """Largest number of workers at one time, at least `min`."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            msg = f"workers.max is at least workers.min, got {self.max} < {self.min}"
            raise ValueError(msg)
        return self
