"""The page templates: Jinja2 with everything escaped, loaded from `lungreg.qc.templates`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from lungreg.records import RESEARCH_USE


def render(template: str, values: Mapping[str, object]) -> str:
    """Fill a template of `qc/templates`.

    File names may hold bytes that are no text (Python keeps them as lone surrogates); they come
    out as "?", so that every page encodes to UTF-8.
    """
    page = _environment().get_template(template).render(values)
    return page.encode("utf-8", "replace").decode("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("lungreg.qc"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["research_use"] = RESEARCH_USE
    return environment
