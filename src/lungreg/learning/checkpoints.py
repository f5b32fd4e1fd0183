"""Save and load training states on the stage, so that a stopped run can be resumed.

The state is written first, under a new name, then the pointer `last.json`: a run killed in between
goes on from the state before. Any node can read both, since they go through the stage.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from pickle import UnpicklingError
from typing import Any

import torch

from lungreg.errors import NotFoundError, RunError
from lungreg.stores import Stage
from lungreg.stores.names import RunNames

_MEND = "train again, or restore the file"
_UNREADABLE = (
    *(NotFoundError, RuntimeError, UnpicklingError, EOFError, OSError),
    *(ValueError, KeyError, IndexError, AttributeError, TypeError),
)
"""A damaged pickle can fail at any step of unpickling."""


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """The content of `last.json` and of `best.json`."""

    name: str
    """Name of the state on the stage."""
    epoch: int
    """Epochs done."""


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """The checkpoints of one run."""

    stage: Stage
    run_id: str
    save_every: int
    """Every so many epochs a state is kept when later ones are written."""

    def save(self, state: dict[str, Any], *, epoch: int, best: bool) -> None:
        """Write the state after `epoch` epochs; delete the one before unless it is to be kept.

        Args:
            state: What `torch.save` can write and `torch.load(weights_only=True)` can read.
            epoch: Epochs done.
            best: Whether `best.json` is to name it too.
        """
        before = self.pointers()
        name = self._names.checkpoint(epoch)
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self.stage.write(name, buffer.getvalue())
        pointer = Pointer(name=name, epoch=epoch)
        if best:
            self._point("best", pointer)
        self._point("last", pointer)
        keep = {name, *(p.name for p in self.pointers().values())}
        for old in before.values():
            if old.name not in keep and old.epoch % self.save_every:
                self.stage.delete(old.name)

    def load(self, which: str = "last") -> dict[str, Any] | None:
        """The state that a pointer names, or None where there is none.

        Raises:
            RunError: The state cannot be read.
        """
        pointer = self.pointers().get(which)
        if pointer is None:
            return None
        try:
            buffer = io.BytesIO(self.stage.read(pointer.name))
            state = _require_mapping(torch.load(buffer, map_location="cpu", weights_only=True))
        except _UNREADABLE as error:
            msg = "a checkpoint on the stage can be read"
            raise RunError(msg, got=type(error).__name__, mend=_MEND, where=pointer.name) from error
        return state

    def pointers(self) -> dict[str, Pointer]:
        """The pointers that exist, by name.

        Raises:
            RunError: One of them is damaged.
        """
        found = {}
        for which in ("last", "best"):
            name = self._names.pointer(which)
            try:
                found[which] = Pointer(**json.loads(self.stage.read(name)))
            except NotFoundError:
                continue
            except (ValueError, TypeError) as error:
                msg = "a checkpoint's pointer is JSON with name and epoch"
                raise RunError(msg, got="something else", mend=_MEND, where=name) from error
        return found

    @property
    def _names(self) -> RunNames:
        return RunNames(self.run_id)

    def _point(self, which: str, pointer: Pointer) -> None:
        self.stage.write(self._names.pointer(which), json.dumps(asdict(pointer)).encode())


def _require_mapping(state: Any) -> dict[str, Any]:
    if not isinstance(state, dict):
        msg = "a state is a mapping"
        raise TypeError(msg)
    return state
