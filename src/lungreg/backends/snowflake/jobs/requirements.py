"""The packages that a job installs beside those of the Container Runtime."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from lungreg.backends.snowflake.installed import PACKAGE, requirements_of
from lungreg.backends.snowflake.jobs.image import this_python
from lungreg.errors import RunError
from lungreg.extras import installation

_EXTRAS = ("", "train", "cluster", "snowflake")
"""What a job needs: it trains, or registers with a model, on Ray."""
_LOCAL_ONLY = {"mlflow"}
"""Only the local backend needs it: it is not installed in a job."""
_RUNTIME_OWN = {"torch", "ray", "snowflake-ml-python", "snowflake-snowpark-python"}
"""The runtime has them, with all that they require; they are not sent."""
_WHEEL_PLATFORMS = tuple(
    f"manylinux{suffix}_x86_64" for suffix in ("_2_28", "_2_27", "_2_26", "_2_24", "_2_17", "2014")
)


def job_requirements(python: str | None = None) -> list[str]:
    """The direct requirements of lungreg in a job; torch and ray too, for the job to check.

    Args:
        python: Python of the job's image, such as "3.11"; None for this machine's.
    """
    asked = requirements_of(PACKAGE, _EXTRAS, python)
    return sorted(str(_bare(req)) for req in asked if _key(req.name) not in _LOCAL_ONLY)


def pinned_closure(python: str | None = None) -> list[str]:
    """All direct and indirect requirements, pinned to the versions of this installation.

    Without those that the runtime has itself, and all that they require.

    Args:
        python: Python of the job's image, such as "3.11"; None for this machine's.

    Raises:
        RunError: A package that is needed is not installed here.
    """
    pins: dict[str, str] = {}
    waiting = list(requirements_of(PACKAGE, _EXTRAS, python))
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        req = waiting.pop()
        name = _key(req.name)
        extras = frozenset({"", *req.extras})
        if name in _RUNTIME_OWN | _LOCAL_ONLY or (name, extras) in seen:
            continue
        seen.add((name, extras))
        pins[name] = _version(name)
        waiting += requirements_of(name, extras, python)
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


def download_wheels(pins: Iterable[str], folder: Path, python: str | None = None) -> None:
    """Download wheels for the runtime's platform with this machine's pip and its settings.

    Args:
        pins: What to download, as `pinned_closure` gives it.
        folder: Where the wheels go.
        python: Python of the job's image, such as "3.11"; None for this machine's.

    Raises:
        RunError: pip cannot download one.
    """
    platforms = [part for name in _WHEEL_PLATFORMS for part in ("--platform", name)]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--only-binary", ":all:", "--implementation", "cp", *platforms),
        *("--python-version", python or this_python()),
        *("--dest", str(folder), *pins),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        msg = "pip fetches the wheels that travel with a job"
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        mend = "set backend.egress.hosts or backend.integrations, so that the job installs them"
        raise RunError(msg, got=f"exit code {done.returncode}", mend=mend, where=" ".join(lines))


def _bare(req: Requirement) -> Requirement:
    """A requirement without its marker, which has been evaluated.

    Those that the runtime has itself are without extras, and Snowflake's packages without bounds,
    since the versions in an image are those that fit its runtime. That of snowflake-ml-python has
    its lower bound: an older one stores no model with the options that are asked of it.
    """
    bare = Requirement(str(req))
    bare.marker = None
    if _key(bare.name) in _RUNTIME_OWN:
        bare.extras = set()
    if _key(bare.name).startswith("snowflake-"):
        lowest = [str(one) for one in bare.specifier if one.operator == ">="]
        is_bound = _key(bare.name) == "snowflake-ml-python"
        bare.specifier = SpecifierSet(",".join(lowest) if is_bound else "")
    return bare


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        msg = "what travels with a job is installed here, so that its version is known"
        mend = f"{installation('train', 'snowflake')}, or set backend.egress.hosts"
        raise RunError(msg, got=f"no {name}", mend=mend) from error


def _key(name: str) -> str:
    return str(canonicalize_name(name))
