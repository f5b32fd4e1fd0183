"""Errors: what they say, to whom, and that they survive the way between processes."""

from __future__ import annotations

import inspect
import pickle

import pytest

from lungreg import errors
from lungreg.errors import DataError, LungregError, NotFoundError, StoreError

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, LungregError)
]
PATH = "/home/someone/case_007_exp.nii.gz"


@pytest.mark.parametrize("kind", KINDS)
def test_survives_a_process_boundary(kind: type[LungregError]) -> None:
    """A pickled error comes back with its type, its four parts and its text."""
    error = kind("the rule", got=3, mend="do this", where=PATH)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.rule, again.got, again.mend, again.where) == ("the rule", 3, "do this", PATH)
    assert str(again) == str(error)
    assert again.args == error.args


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_own_code(kind: type[LungregError]) -> None:
    """Tables distinguish kinds by code, which no two share."""
    assert [other for other in KINDS if other.code == kind.code] == [kind]


def test_says_rule_value_and_mend() -> None:
    """The text reads place, rule, value, mend; what is not known is left out."""
    error = DataError("sizes are even", got=3, mend="pad it", where="case_1")
    assert str(error) == "case_1: sizes are even, got 3; pad it"
    assert str(DataError("sizes are even")) == "sizes are even"
    assert str(DataError("sizes are even", got=0)) == "sizes are even, got 0"


def test_anonymous_hides_the_place() -> None:
    """Logs and tables get everything but the path or case id."""
    error = DataError("sizes are even", got=3, mend="pad it", where=PATH)
    assert error.anonymous == "sizes are even, got 3; pad it"
    assert PATH not in error.anonymous
    assert PATH in str(error)
    error.where = None
    assert PATH not in str(error)


def test_kinds_form_a_tree() -> None:
    """A caller may catch any of ours at once, or a family."""
    assert issubclass(NotFoundError, StoreError)
    with pytest.raises(LungregError, match="gone"):
        raise NotFoundError("gone")  # noqa: EM101  # the shortest
