"""The extras of the package: what each brings, and what to install where one is missing.

`pip install lungreg` brings what one machine needs without a trained model. Every import of a
package that belongs to an extra is made in a block `with of_extra(NAME):`, which turns a missing
package into one sentence; `require_extras` asks before a long work begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from lungreg.errors import MissingExtraError


@dataclass(frozen=True, kw_only=True)
class Extra:
    """An extra of `pyproject.toml`."""

    modules: tuple[str, ...]
    """What is imported of the packages that it cannot do without."""
    more: tuple[str, ...] = ()
    """What is imported of its other packages."""
    rule: str
    """What needs it, for an error."""
    otherwise: str = ""
    """What can be done without it, for an error."""


EXTRAS = {
    "train": Extra(
        modules=("monai", "safetensors"),
        more=("mlflow",),  # curves of the local backend: jobs in Snowflake are without it
        rule="training, and registering with a trained model, need MONAI, of the extra [train]",
    ),
    "cluster": Extra(
        modules=("ray",),
        rule="a number of workers needs Ray, of the extra [cluster]",
        otherwise="set infer.workers and train.workers to auto, which then is one process",
    ),
    "snowflake": Extra(
        modules=("snowflake.snowpark", "snowflake.ml"),
        rule="the Snowflake backend needs Snowflake's packages, of the extra [snowflake]",
    ),
}
"""By name. `[fast]` is not among them: what it speeds up works without it."""


def has_extra(name: str) -> bool:
    """Whether the packages are installed that an extra cannot do without; imports none of them."""
    return not _missing(name)


def require_extras(*names: str) -> None:
    """Refuse where packages of these extras are not installed.

    Raises:
        MissingExtraError: With what to install for all of them at once.
    """
    lacking = [name for name in names if not has_extra(name)]
    if lacking:
        raise _refusal(lacking, [module for name in lacking for module in _missing(name)])


@contextmanager
def of_extra(name: str) -> Iterator[None]:
    """A block of imports from the packages of an extra.

    Raises:
        MissingExtraError: One of these packages is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        wanted, extra = _package(error.name or ""), EXTRAS[name]
        if wanted not in map(_package, (*extra.modules, *extra.more)):
            raise
        raise _refusal([name], _missing(name) or [wanted]) from error


def installation(*names: str) -> str:
    """The command that adds extras to this installation."""
    return f"python -m pip install 'lungreg[{','.join(names)}]'"


def _missing(name: str) -> list[str]:
    return [module for module in EXTRAS[name].modules if not _is_there(module)]


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is missing, too
        return False


def _package(module: str) -> str:
    return module.partition(".")[0]


def _refusal(names: list[str], modules: list[str]) -> MissingExtraError:
    rules = " and ".join(EXTRAS[name].rule for name in names)
    otherwise = EXTRAS[names[0]].otherwise if len(names) == 1 else ""
    mend = ", or ".join(filter(None, (installation(*names), otherwise)))
    return MissingExtraError(rules, got=f"no {' and no '.join(modules)}", mend=mend)
