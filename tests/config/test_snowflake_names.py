"""Names of Snowflake objects: unquoted, no reserved words; hosts and qualified names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.config.breaches import breaches


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            {"database": "a-b"},
            "database: a name has letters, digits, _ and $, begins with a letter or _, and is not "
            "quoted",
        ),
        (
            {"egress": {"hosts": ["*.org:443"]}},
            "egress.hosts.0: a host reads HOST:443, one host by its name, no wildcard",
        ),
        (
            {"batch": {"image_repository": "a/b"}},
            "batch.image_repository: a name reads [DATABASE.][SCHEMA.]NAME, each of letters, "
            "digits, _ and $",
        ),
        (
            {"warehouse": "Select"},
            "warehouse: a name is no word that SQL reserves, got 'Select'",
        ),
    ],
)
def test_other_names_are_refused(raw: dict[str, Any], said: str) -> None:
    """With the key and the rule."""
    assert breaches({"backend": {"kind": "snowflake", **raw}}) == f"backend.{said}"
