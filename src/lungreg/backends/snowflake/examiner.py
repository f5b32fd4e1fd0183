"""What `lungreg doctor` asks an account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lungreg.backends.snowflake.session import SessionSource
from lungreg.errors import LungregError
from lungreg.stores import Check

_ENCRYPTED_THERE = "INTERNAL NO CSE"
"""How SHOW STAGES tells server-side encryption: the client does none."""


@dataclass(frozen=True)
class SnowflakeExaminer:
    """Looks at session and stages. Implements `lungreg.stores.Examiner`."""

    source: SessionSource

    def examine(self) -> list[Check]:
        """What was found; the stages are not asked where no session opens."""
        session = self._guarded("session", self._session)
        if session.state == "fail":
            return [session]
        return [session, self._guarded("stages", self._stages)]

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
        told = ", ".join(f"{name} {value}" for name, value in found.items() if value is not None)
        if lacking:
            mend = "run 'lungreg setup', or name them in the connection"
            without = f"none for {', '.join(lacking)}"
            return Check(name="session", state="warn", found=f"{told}; {without}", mend=mend)
        return Check(name="session", state="ok", found=told)

    def _stages(self) -> Check:
        """All are there, encrypted on the server's side: a job could read no other."""
        at = self.source.settings
        wanted = {
            at.utils_schema: {at.image_stage.upper(), at.job_stage.upper()},
            at.results_schema: {at.run_stage.upper()},
        }
        types: dict[str, str] = {}
        for schema in wanted:
            for row in self.source.run(f"SHOW STAGES IN SCHEMA {at.database}.{schema}"):
                types[str(row["name"]).upper()] = str(row["type"]).upper()
        names = set[str]().union(*wanted.values())
        if missing := sorted(names - set(types)):
            found, mend = f"no stage {', '.join(missing)}", "run 'lungreg setup'"
            return Check(name="stages", state="fail", found=found, mend=mend)
        if unread := sorted(name for name in names if types[name] != _ENCRYPTED_THERE):
            found = f"not encrypted on the server's side: {', '.join(unread)}"
            mend = "move its files away, drop the stage, and run 'lungreg setup'"
            return Check(name="stages", state="fail", found=found, mend=mend)
        return Check(name="stages", state="ok", found=", ".join(sorted(names)))
