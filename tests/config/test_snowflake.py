"""Section backend (Snowflake): names that differ, and no credentials."""

from __future__ import annotations

from typing import Any

import pytest

from tests.config.breaches import breaches


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        ({"result_table": "claims"}, ("the table of claims", "result_table")),
        ({"result_table": "Results"}, ("the view", "result_table")),
        ({"utils_schema": "a", "results_schema": "A"}, ("utils_schema", "results_schema")),
        ({"image_stage": "A", "job_stage": "a"}, ("image_stage", "job_stage")),
        ({"roles": {"train": "A", "infer": "a"}}, ("roles.train", "roles.infer")),
        ({"roles": {"read": "lungreg_setup"}}, ("roles.setup", "roles.read")),
    ],
)
def test_names_of_one_place_differ(names: dict[str, Any], keys: tuple[str, str]) -> None:
    """Snowflake reads names in any case; two roles in one would have both their privileges."""
    said = breaches({"backend": {"kind": "snowflake", **names}})
    assert said.startswith(f"backend: {keys[0]} and {keys[1]} have different names, got ")


@pytest.mark.parametrize(
    "raw",
    [
        {"PASSWORD": "hunter2"},
        {"private_key_passphrase": "hunter2"},
        {"compute_pool": {"Token": "hunter2"}},
        {"roles": {"secret": "hunter2"}},
    ],
)
def test_a_secret_is_refused_wherever_it_stands(raw: dict[str, Any]) -> None:
    """In any case and in any section of the backend; its value is not shown."""
    said = breaches({"backend": {"kind": "snowflake", **raw}})
    assert "a config holds no secret" in said
    assert "connections.toml" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("key", ["user", "account", "private_key_file"])
def test_who_logs_in_belongs_to_the_connection(key: str) -> None:
    """A connection is named here and described there."""
    said = breaches({"backend": {"kind": "snowflake", key: "x"}})
    assert said.startswith(f"backend: '{key}' belongs into Snowflake's connections.toml")


def test_a_pool_is_at_most_as_small_as_large() -> None:
    """Fewest nodes come first."""
    said = breaches({"backend": {"kind": "snowflake", "compute_pool": {"min_nodes": 3}}})
    assert said == "backend.compute_pool: min_nodes is at most max_nodes, got 3 > 1"
