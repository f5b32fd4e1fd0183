"""The job for Kubernetes against the fields of `ray.io/v1` RayJob that KubeRay's reference has."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from tests.docs.blocks import parse

ROOT = Path(__file__).parents[2]
FILE, CONSTRAINTS = ROOT / "configs" / "kuberay.yaml", ROOT / ".ci" / "constraints.txt"


class Known(BaseModel):
    """Refuses a field that the reference does not have."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Resources(Known):
    """Quantities are text, so that no tool reads 1e3 into them."""

    limits: dict[str, str]
    requests: dict[str, str]


class Mount(Known):
    """Where a volume is seen."""

    name: str
    mount_path: str = Field(pattern="^/")
    read_only: bool = False


class Variable(Known):
    """Of the environment."""

    name: str
    value: str


class Container(Known):
    """The fields of a container that are used."""

    name: str
    image: str
    env: list[Variable] = []
    resources: Resources
    volume_mounts: list[Mount] = []


class Volume(Known):
    """One of the three kinds that are used."""

    name: str
    persistent_volume_claim: dict[Literal["claimName"], str] | None = None
    config_map: dict[Literal["name"], str] | None = None
    empty_dir: dict[Literal["medium", "sizeLimit"], str] | None = None


class PodSpec(Known):
    """Of a pod template."""

    termination_grace_period_seconds: int = 30
    security_context: dict[Literal["runAsNonRoot", "runAsUser", "fsGroup"], bool | int] = {}
    containers: list[Container] = Field(min_length=1)
    volumes: list[Volume] = []


class Template(Known):
    """Of a pod."""

    spec: PodSpec


class HeadGroup(Known):
    """HeadGroupSpec."""

    ray_start_params: dict[str, str]
    template: Template


class WorkerGroup(HeadGroup):
    """WorkerGroupSpec."""

    group_name: str
    replicas: int
    min_replicas: int
    max_replicas: int


class Autoscaler(Known):
    """AutoscalerOptions."""

    idle_timeout_seconds: int = 60


class Cluster(Known):
    """RayClusterSpec."""

    ray_version: str | None = None
    enable_in_tree_autoscaling: bool = False
    autoscaler_options: Autoscaler = Autoscaler()
    head_group_spec: HeadGroup
    worker_group_specs: list[WorkerGroup] = []


class JobSpec(Known):
    """RayJobSpec."""

    entrypoint: str
    backoff_limit: int = 0
    shutdown_after_job_finishes: bool = False
    ttl_seconds_after_finished: int = 0
    ray_cluster_spec: Cluster


class RayJob(Known):
    """The whole document."""

    api_version: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: dict[Literal["name", "generateName", "namespace"], str]
    spec: JobSpec


def job() -> RayJob:
    """The file as the operator would take it."""
    content: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return RayJob.model_validate(content)


def test_it_has_only_documented_fields() -> None:
    """And the command is one of this version's."""
    program, *words = shlex.split(job().spec.entrypoint)
    assert (program, parse(words)) == ("lungreg", "infer")


def test_its_ray_is_that_of_the_image() -> None:
    """Which is made with the tested versions."""
    (pinned,) = re.findall(r"^ray==(.+)$", CONSTRAINTS.read_text(), re.MULTILINE)
    assert job().spec.ray_cluster_spec.ray_version == pinned


def test_every_mount_has_its_volume_and_ray_its_memory() -> None:
    """In the head and in each group of workers."""
    cluster = job().spec.ray_cluster_spec
    for group in (cluster.head_group_spec, *cluster.worker_group_specs):
        pod = group.template.spec
        mounted = {
            mount.name: mount.mount_path for it in pod.containers for mount in it.volume_mounts
        }
        assert set(mounted) == {volume.name for volume in pod.volumes}
        assert {"/data", "/dev/shm"} <= set(mounted.values())


def test_workers_are_scaled_within_their_bounds() -> None:
    """The autoscaler needs them."""
    (group,) = job().spec.ray_cluster_spec.worker_group_specs
    assert group.min_replicas <= group.replicas <= group.max_replicas
