"""The registry over Snowflake's Model Registry, under the contract, and what is special of it."""

from __future__ import annotations

import dataclasses
import json
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

import pytest
import yaml
from packaging.version import Version

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.models import SnowflakeModelRegistry
from lungreg.errors import ModelError, NotFoundError, StoreUnavailableError
from lungreg.records import ModelCard
from lungreg.stores import ModelRegistry
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.models import Models
from tests.backends.snowflake.peer.statement import SqlError
from tests.contracts.models import CARD, ModelRegistryContract


@pytest.fixture
def models(peer: Peer, source: SessionSource) -> Models:
    """The peer's Model Registry, empty."""
    return Models(peer)


class TestSnowflakeModels(ModelRegistryContract):
    """Versions in the Model Registry keep the contract."""

    many = 2
    raced, processes = 1, 2

    @pytest.fixture
    def registry(self, models: Models, source: SessionSource) -> ModelRegistry:
        self.models = models
        return SnowflakeModelRegistry(source)

    def damage_weights(self, registry: ModelRegistry, card: ModelCard) -> None:
        assert isinstance(registry, SnowflakeModelRegistry)
        settings = registry.source.settings
        name = f"{settings.database}.{settings.utils_schema}.{card.name.upper()}"
        (file,) = self.models.folder(name, f"V{card.version}").rglob("weights.safetensors")
        file.write_bytes(file.read_bytes()[:-1])

    def race(self, worker: Callable[..., list[str]], *arguments: object) -> list[list[str]]:
        """Threads, each with its session: in the account they are like processes."""
        barrier = threading.Barrier(self.processes)
        with ThreadPoolExecutor(self.processes) as pool:
            started = [pool.submit(worker, barrier, *arguments) for _ in range(self.processes)]
            return [each.result() for each in started]


@pytest.fixture
def registry(models: Models, source: SessionSource) -> SnowflakeModelRegistry:
    """An empty registry."""
    return SnowflakeModelRegistry(source)


def test_a_logged_model_has_what_the_service_needs(
    registry: SnowflakeModelRegistry, models: Models, capfd: pytest.CaptureFixture[str]
) -> None:
    """Our files and code, a GPU runtime, pinned requirements, no sample; nothing is printed."""
    registry.add(CARD, b"weights")
    settings = registry.source.settings
    folder = models.folder(f"{settings.database}.{settings.utils_schema}.LUNGS", "V1")
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert {
        "user_files/lungreg/card.json",
        "model/models/LUNGS/artifacts/weights.safetensors",
        "model/code/lungreg/__init__.py",
        "model/code/lungreg/lungreg.zip",
    } <= names
    assert not [name for name in names if "sample" in name]
    meta = yaml.safe_load((folder / "model" / "model.yaml").read_text())
    assert meta["env"]["cuda_version"] == settings.model_cuda_version
    assert meta["signatures"]["predict"]["inputs"][1] == {
        **meta["signatures"]["predict"]["inputs"][1],
        "name": "FIXED",
        "type": "BYTES",
    }
    for kind in ("cpu", "gpu"):
        file = folder / "model" / "runtimes" / kind / "env" / "requirements.txt"
        pins = file.read_text().split()
        assert f"torch~={Version(metadata.version('torch')).public}" in pins
        assert f"monai=={metadata.version('monai')}" in pins
        assert not [pin for pin in pins if pin.startswith(("ray", "mlflow", "lungreg"))]
    assert capfd.readouterr().out == ""


def test_metrics_champion_and_aliases_are_snowflake_s_own(
    registry: SnowflakeModelRegistry, peer: Peer
) -> None:
    """People find them in SQL: metrics, the default version, and an alias where one can be."""
    card = dataclasses.replace(CARD, metrics={"val_tre_mm": 2.5, "broken": math.nan})
    registry.add(card, b"1")
    registry.add(card, b"2")
    registry.promote("lungs", "2")
    registry.promote("lungs", "1", "site-b")
    registry.promote("lungs", "1", "approved")
    registry.promote("lungs", "2", "approved")
    settings = registry.source.settings
    schema = f"{settings.database}.{settings.utils_schema}"
    (model,) = registry.source.run(f"SHOW MODELS IN SCHEMA {schema}")
    assert (model["name"], model["default_version_name"]) == ("LUNGS", "V2")
    rows = registry.source.run(f"SHOW VERSIONS IN MODEL {schema}.LUNGS")
    assert [json.loads(row["metadata"])["metrics"] for row in rows] == [{"val_tre_mm": 2.5}] * 2
    aliases = [json.loads(row["aliases"]) for row in rows]
    assert aliases == [["FIRST"], ["DEFAULT", "LAST", "APPROVED"]]
    assert [entry.aliases for entry in registry.list()] == [("site-b",), ("approved", "champion")]


def test_what_others_keep_in_the_schema_is_passed_over(
    registry: SnowflakeModelRegistry, models: Models
) -> None:
    """Versions without our mark are not ours: nobody chooses them, and their numbers are taken."""
    registry.add(CARD, b"1")
    settings = registry.source.settings
    model = f"{settings.database}.{settings.utils_schema}.LUNGS"
    for name in ("V2", "V10", "BRAVE_CAT_1"):
        models.put(model, name, models.folder(model, "V1"))
    assert [entry.card.version for entry in registry.list()] == ["1"]
    assert registry.resolve("lungs", "latest").version == "1"
    assert registry.add(CARD, b"2").version == "11"
    assert [entry.card.version for entry in registry.list()] == ["1", "11"]
    with pytest.raises(NotFoundError):
        registry.resolve("lungs", "10")


def test_a_name_that_could_not_be_ours_reaches_no_statement(
    registry: SnowflakeModelRegistry, models: Models
) -> None:
    """Whoever may create models in the schema writes no SQL for those who list them."""
    registry.add(CARD, b"1")
    settings = registry.source.settings
    schema = f"{settings.database}.{settings.utils_schema}"
    files = models.folder(f"{schema}.LUNGS", "V1")
    models.put(f'{schema}.x"; DROP SCHEMA UTILS', "V1", files, comment="lungreg")
    assert [entry.card.name for entry in registry.list()] == ["lungs"]
    with pytest.raises(NotFoundError):
        registry.resolve('x"; DROP SCHEMA UTILS', "1")


def test_a_name_that_snowflake_would_confuse_is_refused(registry: SnowflakeModelRegistry) -> None:
    """In Snowflake, names that differ in case and "_" only are the same."""
    registry.add(CARD, b"1")
    for name in ("LUNGS", "Lungs", "lung_", "A", "A_1"):
        with pytest.raises(ModelError, match="more than case and '_'"):
            registry.add(dataclasses.replace(CARD, name=name), b"2")
    assert [entry.card.name for entry in registry.list()] == ["lungs"]


def test_no_statement_has_what_a_card_holds(registry: SnowflakeModelRegistry, peer: Peer) -> None:
    """A card travels as a file: its configuration may name what a site calls its things."""
    card = dataclasses.replace(CARD, config={**CARD.config, "note": "MUSTERMANN"})
    stored = registry.add(card, b"1")
    registry.promote("lungs", "1", "approved")
    assert registry.resolve("lungs", "approved").config["note"] == "MUSTERMANN"
    assert registry.weights(stored) == b"1"
    assert peer.said("ADD VERSION|CREATE MODEL|METADATA")
    assert not peer.said("MUSTERMANN")


def test_a_name_of_another_role_is_refused_at_once(
    registry: SnowflakeModelRegistry, peer: Peer
) -> None:
    """Snowflake does not list what a role may not see, and still refuses its name."""

    def refuse(*_: object) -> None:
        text = "Object 'LUNGS' already exists, but current role has no privileges on it."
        raise SqlError(3041, "42710", text)

    peer.on("^CREATE MODEL", refuse)
    with pytest.raises(StoreUnavailableError, match=r"another role's.*choose another"):
        registry.add(CARD, b"1")
    assert len(peer.said("^CREATE MODEL")) == 1


def test_a_model_that_goes_meanwhile_is_left_out(
    registry: SnowflakeModelRegistry, models: Models, peer: Peer
) -> None:
    """Between two questions somebody drops a model: the others are listed all the same."""
    registry.add(CARD, b"1")
    registry.add(dataclasses.replace(CARD, name="gone"), b"2")

    def gone(*_: object) -> None:
        raise LookupError("GONE")  # noqa: EM101  # the object's name

    peer.on(r"SHOW VERSIONS IN MODEL \S+\.GONE", gone)
    assert [entry.card.name for entry in registry.list()] == ["lungs"]


def test_a_missing_privilege_is_said_in_words(registry: SnowflakeModelRegistry, peer: Peer) -> None:
    """A role that may not create models gets the reason; nothing is left behind."""
    peer.mischief.deny("^CREATE MODEL")
    with pytest.raises(StoreUnavailableError, match="lets this user and role"):
        registry.add(CARD, b"1")
    peer.mischief.allow()
    assert registry.list() == []
    assert registry.add(CARD, b"1").version == "1"
