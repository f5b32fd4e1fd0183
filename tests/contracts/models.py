"""What every `lungreg.stores.ModelRegistry` must do."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections.abc import Callable

import pytest

from lungreg.errors import ModelError, NotFoundError
from lungreg.records import ModelCard
from lungreg.stores import ModelRegistry
from tests.contracts.processes import add_models, race

CARD = ModelCard(
    name="lungs",
    config={"network": {"norm": "instance", "levels": [0, 1]}, "note": "ünïcödé 'quotes'"},
    metrics={"dice_score": 0.94},
    split={"train": ["ab" * 32], "val": [], "test": []},
    run_id="run-1",
    environment={"python": "3.11"},
    created_at="2026-01-02T03:04:05+00:00",
)


class ModelRegistryContract:
    """Subclasses give an empty registry and a way to damage stored weights."""

    shared_between_processes = True
    """Whether another process sees the same models."""
    many = 11
    """How many versions are added one after the other, beyond nine where that is quick."""
    raced, processes = 5, 3
    """How many each of so many processes adds at once."""

    @pytest.fixture
    def registry(self) -> ModelRegistry:
        raise NotImplementedError

    def damage_weights(self, registry: ModelRegistry, card: ModelCard) -> None:
        """Change the stored bytes behind the registry's back."""
        raise NotImplementedError

    def race(self, worker: Callable[..., list[str]], *arguments: object) -> list[list[str]]:
        """What a worker gave in each of several processes."""
        return race(worker, *arguments, processes=self.processes)

    def test_is_a_model_registry(self, registry: ModelRegistry) -> None:
        """The implementation has every method of the Protocol."""
        assert isinstance(registry, ModelRegistry)

    def test_a_model_comes_back_as_it_was(self, registry: ModelRegistry) -> None:
        """The card returns with its version and the weights' SHA-256, the weights unchanged."""
        weights = bytes(range(256)) * 10
        stored = registry.add(CARD, weights)
        digest = hashlib.sha256(weights).hexdigest()
        assert stored == dataclasses.replace(CARD, version="1", weights_sha256=digest)
        assert registry.resolve("lungs", "1") == stored
        assert registry.weights(stored) == weights

    def test_versions_count_from_one(self, registry: ModelRegistry) -> None:
        """Each name has its own numbers, in order of adding, also beyond nine."""
        versions = [registry.add(CARD, b"%d" % number).version for number in range(self.many)]
        assert versions == [str(number) for number in range(1, self.many + 1)]
        other = dataclasses.replace(CARD, name="lungs-2")
        assert registry.add(other, b"x").version == "1"
        assert registry.resolve("lungs", "latest").version == str(self.many)
        assert [entry.card.version for entry in registry.list("lungs")] == versions

    def test_a_card_s_own_version_is_no_matter(self, registry: ModelRegistry) -> None:
        """A card that was stored elsewhere gets the next number here, and the hash of the bytes."""
        carried = dataclasses.replace(CARD, version="7", weights_sha256="00")
        stored = registry.add(carried, b"weights")
        assert stored.version == "1"
        assert registry.weights(stored) == b"weights"

    def test_the_first_is_champion_until_another_is(self, registry: ModelRegistry) -> None:
        """An alias stays where it is until it is moved."""
        first, second = registry.add(CARD, b"1"), registry.add(CARD, b"2")
        assert registry.resolve("lungs", "champion") == first
        registry.promote("lungs", "2")
        assert registry.resolve("lungs", "champion") == second
        assert registry.add(CARD, b"3").version == "3"
        assert registry.resolve("lungs", "champion") == second
        registry.promote("lungs", "1")
        assert registry.resolve("lungs", "champion") == first

    def test_aliases_are_listed(self, registry: ModelRegistry) -> None:
        """A version may have several aliases, and an alias may be given by another or "latest"."""
        for _ in range(3):
            registry.add(CARD, b"x")
        registry.promote("lungs", "latest", "site-b")
        registry.promote("lungs", "site-b", "approved")
        listed = {entry.card.version: entry.aliases for entry in registry.list("lungs")}
        assert {version: sorted(aliases) for version, aliases in listed.items()} == {
            "1": ["champion"],
            "2": [],
            "3": ["approved", "site-b"],
        }

    def test_all_names_are_listed(self, registry: ModelRegistry) -> None:
        """Without a name everything is listed, by name and number."""
        assert registry.list() == []
        for name in ("b", "a", "a.2", "b"):
            registry.add(dataclasses.replace(CARD, name=name), b"x")
        listed = [(entry.card.name, entry.card.version) for entry in registry.list()]
        assert listed == [("a", "1"), ("a.2", "1"), ("b", "1"), ("b", "2")]
        assert registry.list("unknown") == []

    def test_an_unknown_name_lists_what_there_is(self, registry: ModelRegistry) -> None:
        """NotFoundError of a name names the names."""
        with pytest.raises(NotFoundError, match="must be in the registry"):
            registry.resolve("lungs", "champion")
        registry.add(CARD, b"x")
        registry.add(dataclasses.replace(CARD, name="other"), b"x")
        for name in ("lung", "", "../models", "a/b", "lungs "):
            with pytest.raises(NotFoundError, match="there is lungs, other"):
                registry.resolve(name, "1")

    def test_an_unknown_version_lists_what_there_is(self, registry: ModelRegistry) -> None:
        """NotFoundError of a version names the versions and aliases."""
        stored = registry.add(CARD, b"x")
        registry.promote("lungs", "1", "approved")
        for version in ("2", "0", "01", "", "no-such-alias", "../1", "aliases"):
            with pytest.raises(NotFoundError, match="there is 1, approved, champion, latest"):
                registry.resolve("lungs", version)
            with pytest.raises(NotFoundError, match="there is 1, approved, champion, latest"):
                registry.promote("lungs", version, "other")
        with pytest.raises(NotFoundError, match="there is 1"):
            registry.weights(dataclasses.replace(stored, version="2"))

    def test_an_alias_that_reads_like_a_version_is_refused(self, registry: ModelRegistry) -> None:
        """An alias can be mistaken neither for a version nor for a place."""
        registry.add(CARD, b"x")
        for alias in ("", "2", "latest", "a/b", "..", "two words"):
            with pytest.raises(ModelError, match="an alias has letters"):
                registry.promote("lungs", "1", alias)
        assert registry.list("lungs")[0].aliases == ("champion",)

    def test_what_may_be_added_is_known_before(self, registry: ModelRegistry) -> None:
        """The check leaves nothing, and refuses the name that `add` refuses."""
        registry.check_add("lungs")
        assert registry.list() == []
        with pytest.raises(ModelError):
            registry.check_add("../lungs")

    def test_a_bad_name_is_refused(self, registry: ModelRegistry) -> None:
        """A model's name is fit for every store."""
        for name in ("", "a/b", "..", ".hidden", "two words", "n" * 101, "ü"):
            with pytest.raises(ModelError, match="a model's name"):
                registry.add(dataclasses.replace(CARD, name=name), b"x")
        assert registry.list() == []

    def test_damaged_weights_are_refused(self, registry: ModelRegistry) -> None:
        """Weights whose hash is not the card's are never handed out."""
        stored = registry.add(CARD, b"weights")
        self.damage_weights(registry, stored)
        with pytest.raises(ModelError, match="SHA-256"):
            registry.weights(stored)

    def test_processes_get_different_versions(self, registry: ModelRegistry) -> None:
        """Several processes adding at once: every number once, none left out, one champion."""
        if not self.shared_between_processes:
            pytest.skip("the store lives in one process")
        raced = self.race(add_models, registry, self.raced)
        given = [version for each in raced for version in each]
        expected = [str(number) for number in range(1, self.processes * self.raced + 1)]
        assert sorted(given, key=int) == expected
        listed = registry.list("raced")
        assert [entry.card.version for entry in listed] == sorted(given, key=int)
        assert [entry.aliases for entry in listed if entry.aliases] == [("champion",)]
        assert all(len(registry.weights(entry.card)) == 100 for entry in listed)

    def test_pickle_round_trip(self, registry: ModelRegistry) -> None:
        """A copy sent to another process finds the same models."""
        stored = registry.add(CARD, b"weights")
        copy = pickle.loads(pickle.dumps(registry))
        assert copy.weights(copy.resolve("lungs", "champion")) == b"weights"
        assert copy.list() == registry.list()
        assert stored.version == "1"
