"""GPU nodes by cloud: the instance families that an account's region can have."""

from __future__ import annotations

from lungreg.backends.snowflake.setup.statement import Ask
from lungreg.config import SnowflakeBackend
from lungreg.errors import ConfigError

GPU_FAMILIES = {
    "AWS": {"GPU_NV_S": "1 A10G", "GPU_NV_M": "4 A10G", "GPU_NV_L": "8 A100"},
    "AZURE": {
        "GPU_NV_XS": "1 T4",
        "GPU_NV_SM": "1 A10",
        "GPU_NV_2M": "2 A10",
        "GPU_NV_3M": "2 A100",
        "GPU_NV_SL": "4 A100",
    },
    "GCP": {
        "GPU_GCP_NV_L4_1_24G": "1 L4",
        "GPU_GCP_NV_L4_4_24G": "4 L4",
        "GPU_GCP_NV_A100_8_40G": "8 A100",
    },
}
"""By cloud, the GPUs of one node of each family. From Snowflake's page of CREATE COMPUTE POOL, as
snowflake-ml-python 2.6.0 has it in `jobs/_utils/constants.py`; the cloud may have newer ones."""


AUTO = "AUTO"
CHOSEN = {"AWS": "GPU_NV_S", "AZURE": "GPU_NV_SM", "GCP": "GPU_GCP_NV_L4_1_24G"}
"""By cloud, the family that "auto" takes: one GPU of 24 GB."""
_LISTED = "SHOW COMPUTE POOL INSTANCE FAMILIES lists what the region of the account has"


def with_family(settings: SnowflakeBackend, ask: Ask) -> SnowflakeBackend:
    """The settings with a family of GPU nodes that the account's cloud has.

    Args:
        settings: Name the family, or "auto".
        ask: Runs a statement.

    Raises:
        ConfigError: Only another cloud has the family, or of this one none is known.
    """
    if settings.compute_pool.family.upper() != AUTO:
        refuse_family_of_another_cloud(settings, ask)
        return settings
    cloud = _cloud(ask)
    if cloud not in CHOSEN:
        msg = "compute_pool.family is named where the account is in a cloud that lungreg knows not"
        mend = f"set backend.compute_pool.family: {_LISTED}"
        raise ConfigError(msg, got=f"auto on {cloud}", mend=mend)
    return of_family(settings, CHOSEN[cloud])


def of_family(settings: SnowflakeBackend, family: str) -> SnowflakeBackend:
    """The settings with another family of nodes."""
    pool = settings.compute_pool.model_copy(update={"family": family})
    return settings.model_copy(update={"compute_pool": pool})


def refuse_family_of_another_cloud(settings: SnowflakeBackend, ask: Ask) -> None:
    """Refuse a family of GPU nodes that only another cloud than the account's has.

    A family that the table does not know is left to the account.

    Args:
        settings: Name the family.
        ask: Runs a statement.

    Raises:
        ConfigError: The message lists what the account's cloud has.
    """
    family = settings.compute_pool.family.upper()
    cloud = _cloud(ask)
    offered = GPU_FAMILIES.get(cloud, {})
    known = {name for families in GPU_FAMILIES.values() for name in families}
    if not offered or family in offered or family not in known:
        return
    msg = "compute_pool.family is a family of nodes that the account's cloud has"
    listed = ", ".join(f"{name} ({gpus})" for name, gpus in offered.items())
    mend = f"on {cloud} set backend.compute_pool.family to auto or one of {listed}; {_LISTED}"
    raise ConfigError(msg, got=f"{family} on {cloud}", mend=mend)


def _cloud(ask: Ask) -> str:
    return cloud_of(str(ask("SELECT CURRENT_REGION()")[0][0]))


def cloud_of(region: str) -> str:
    """The cloud of a region as CURRENT_REGION names it, such as PUBLIC.AWS_US_WEST_2."""
    return region.rpartition(".")[2].partition("_")[0].upper()
