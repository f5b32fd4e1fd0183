"""The checks of an account for `lungreg doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lungreg.backends.snowflake.check.rehearsal import try_out
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup.grants import stages_of_roles
from lungreg.backends.snowflake.setup.objects import stages
from lungreg.config import SnowflakeBackend
from lungreg.errors import ForbiddenError, LungregError
from lungreg.stores import Check

_ENCRYPTED_THERE = "INTERNAL NO CSE"
"""The type in SHOW STAGES of a stage that the server encrypts, and not the client."""
_STEPS = {
    "setup": "setup, teardown",
    "ingest": "ingest",
    "train": "train, submit train, models",
    "infer": "infer, submit infer, report, results",
    "read": "results, report",
}
"""Steps that a role is for, by its key in `roles`."""
_OTHER_ROLE = "take the role of the step, with --set backend.role=ROLE or in the connection"


@dataclass(frozen=True)
class SnowflakeExaminer:
    """Checks session and stages. Implements `lungreg.stores.Examiner`."""

    source: SessionSource

    def examine(self) -> list[Check]:
        """Run the checks; the stages are not checked where no session opens."""
        session = self._guarded("session", self._session)
        if session.state == "fail":
            return [session]
        return [session, self._guarded("stages", self._stages)]

    def try_out(self) -> Iterator[Check]:
        """Try what the steps of the session's role do; a row for each, as it is known."""
        return try_out(self.source)

    def _guarded(self, name: str, check: Callable[[], Check]) -> Check:
        try:
            return check()
        except LungregError as error:
            return Check.failed(name, error)

    def _session(self) -> Check:
        with self.source.use() as session:
            found = {
                "role": session.get_current_role(),
                "warehouse": session.get_current_warehouse(),
                "database": session.get_current_database(),
            }
        lacking = [name for name, value in found.items() if value is None]
        known = ", ".join(f"{name} {value}" for name, value in found.items() if value is not None)
        if lacking:
            mend = "run 'lungreg setup', or name them in the connection"
            without = f"none for {', '.join(lacking)}"
            return Check(name="session", state="warn", found=f"{known}; {without}", mend=mend)
        return Check(name="session", state="ok", found=known)

    def _stages(self) -> Check:
        """Whether the role's stages exist and are encrypted so that a job can read them.

        SHOW lists only stages on which the role has a privilege: those of its step.
        """
        at = self.source.settings
        role, types = self._role(), self._types()
        wanted = stages_of_roles(at).get(role)
        if unread := [name for name, kind in types.items() if kind != _ENCRYPTED_THERE]:
            found = f"not encrypted on the server's side: {_short(unread)}"
            mend = "move its files away, drop the stage, and run 'lungreg setup'"
            return Check(name="stages", state="fail", found=found, mend=mend)
        hidden = {*stages(at)} - set(types)
        lacking = (wanted or frozenset()) - set(types)
        if lacking or not types:
            found = f"{_owner(role)} sees no stage {_short(lacking or hidden)}"
            mend = f"run 'lungreg setup'{'' if wanted else f', or {_OTHER_ROLE}'}"
            return Check(name="stages", state="fail", found=found, mend=mend)
        if hidden:
            found = f"{_short(sorted(types))}; {_owner(role)} sees no {_short(hidden)}"
            return Check(name="stages", state="warn", found=found, mend=_fit_for(at, role))
        return Check(
            name="stages", state="ok", found=_short(sorted(types)), mend=_fit_for(at, role)
        )

    def _role(self) -> str:
        with self.source.use() as session:
            return str(session.get_current_role() or "").strip('"').upper()

    def _types(self) -> dict[str, str]:
        """Type by full name of the stages of the configuration that the role sees."""
        known = {name.upper(): name for name in stages(self.source.settings)}
        found: dict[str, str] = {}
        for schema in {name.rpartition(".")[0] for name in known.values()}:
            try:
                rows = self.source.run(f"SHOW STAGES IN SCHEMA {schema}")
            except ForbiddenError:  # the schema is missing, or for other steps
                continue
            for row in rows:
                if name := known.get(f"{schema}.{row['name']}".upper()):
                    found[name] = str(row["type"]).upper()
        return found


def _fit_for(settings: SnowflakeBackend, role: str) -> str:
    """The steps that a role of the configuration is for; of other roles nothing is known."""
    keys = [key for key, name in settings.roles.model_dump().items() if name.upper() == role]
    steps = [f"fit for {_STEPS[key]}" for key in keys]
    return "".join(steps) or _OTHER_ROLE


def _owner(role: str) -> str:
    return role or "a session without role"


def _short(names: Iterable[str]) -> str:
    return ", ".join(sorted(name.rpartition(".")[2].upper() for name in names))
