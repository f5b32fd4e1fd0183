"""What jobs may reach outside: nothing by default, else the hosts of the configuration."""

from __future__ import annotations

import re

import pytest

from lungreg.backends.snowflake.setup import setup_script
from lungreg.config import SnowflakeBackend
from tests.backends.snowflake.setup.test_script import statements


def test_by_default_nothing_reaches_outside() -> None:
    """Without hosts in the configuration there is no rule, no integration and no such grant."""
    script = setup_script(SnowflakeBackend(kind="snowflake"))
    assert not re.search("NETWORK RULE|INTEGRATION|EGRESS", script)


def test_jobs_reach_the_hosts_of_the_configuration_alone() -> None:
    """The rule lists the hosts, each with its port, and comments name none."""
    made, changed = [sql for sql in statements() if "NETWORK RULE " in sql]
    assert made.startswith("CREATE NETWORK RULE IF NOT EXISTS LUNGREG.UTILS.LUNGREG_EGRESS ")
    assert changed.startswith("ALTER NETWORK RULE LUNGREG.UTILS.LUNGREG_EGRESS SET VALUE_LIST")
    for rule in (made, changed):
        assert "VALUE_LIST = ('pypi.org:443', 'files.pythonhosted.org:443')" in rule
    comments = re.findall(r"COMMENT = '([^']*)'", " ".join(statements()))
    assert comments
    assert not any("." in comment or ":" in comment for comment in comments)


@pytest.mark.parametrize(
    "host",
    [
        *("0.0.0.0:443", "0.0.0.0:80", "10.1.2.3:443", "pypi.org", "pypi.org:80", "*.org:443"),
        "a'b.org:443",
    ],
)
def test_a_host_is_a_name_over_tls(host: str) -> None:
    """No address, no wildcard, no other port, nothing that ends a literal."""
    with pytest.raises(ValueError, match="hosts"):
        SnowflakeBackend.model_validate({"kind": "snowflake", "egress": {"hosts": [host]}})
