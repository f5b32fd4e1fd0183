"""GPU nodes are those of the account's cloud."""

from __future__ import annotations

import pytest
from snowflake.snowpark import Row

from lungreg.backends.snowflake.setup.families import GPU_FAMILIES, with_family
from lungreg.backends.snowflake.setup.objects import object_statements
from lungreg.config import SnowflakeBackend
from lungreg.errors import ConfigError
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.setup.account import Account, of_database


@pytest.mark.parametrize(
    ("region", "offered"),
    [("AZURE_WESTEUROPE", r"GPU_NV_SM \(1 A10\)"), ("GCP_US_CENTRAL1", "GPU_GCP_NV_L4_1_24G")],
)
def test_a_family_of_another_cloud_is_refused_with_what_there_is(
    account: Account, peer: Peer, region: str, offered: str
) -> None:
    """Nothing is made, and the error lists the cloud's own."""
    account.region = f"PUBLIC.{region}"
    with pytest.raises(ConfigError, match=f"GPU_NV_S on .*{offered}"):
        of_database("FAMILIES", compute_pool={"family": "GPU_NV_S"}).make()
    assert not peer.said("^CREATE")


@pytest.mark.parametrize(
    ("region", "family"),
    [
        ("AWS_US_WEST_2", "GPU_NV_S"),
        ("AZURE_WESTEUROPE", "GPU_NV_SM"),
        ("GCP_US_CENTRAL1", "GPU_GCP_NV_L4_1_24G"),
    ],
)
def test_the_family_is_chosen_by_the_region(region: str, family: str) -> None:
    """By default: one GPU of 24 GB in each cloud, of the families that the cloud has."""
    settings = SnowflakeBackend(kind="snowflake")
    chosen = with_family(settings, lambda _: [Row(region=f"PUBLIC.{region}")])
    assert chosen.compute_pool.family == family
    assert GPU_FAMILIES[region.partition("_")[0]][family].startswith("1 ")
    assert f"INSTANCE_FAMILY = {family} " in sql_of(chosen)
    assert "INSTANCE_FAMILY = GPU_NV_S " in sql_of(settings)  # where nobody can be asked
    (pool,) = [item for item in object_statements(settings) if "COMPUTE POOL" in item.sql]
    assert "GPU_NV_SM on Azure" in pool.note


def test_a_cloud_of_which_nothing_is_known_asks_for_a_family() -> None:
    """The mend names the statement that lists what there is."""
    with pytest.raises(ConfigError, match="SHOW COMPUTE POOL INSTANCE FAMILIES"):
        with_family(SnowflakeBackend(kind="snowflake"), lambda _: [Row(region="PUBLIC.MOON_1")])


def sql_of(settings: SnowflakeBackend) -> str:
    return "\n".join(item.sql for item in object_statements(settings))


def test_a_family_of_the_cloud_is_made(account: Account) -> None:
    """What the error lists can be set."""
    account.region = "PUBLIC.AZURE_WESTEUROPE"
    of_database("FAMILIES", compute_pool={"family": "GPU_NV_SM"}).make()
    assert ("COMPUTE POOL", "LUNGREG_GPU") in account.objects
