"""The peer's experiments: runs are open until committed, and then closed for good."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.backends.snowflake.peer.app import Answer, Peer
from tests.backends.snowflake.peer.statement import SqlError

_EXPERIMENT = r"(?P<experiment>[\w$]+\.[\w$]+\.[\w$]+)"
_RUN = r"(?P<run>[\w$]+)"
_DONE: Answer = (["status"], [["Statement executed successfully."]])


@dataclass
class Run:
    """One run of an experiment."""

    status: str = "RUNNING"
    params: dict[str, str] = field(default_factory=dict)
    points: list[tuple[str, int, float]] = field(default_factory=list)
    """Name, step and value, as they came."""


class Experiments:
    """All experiments of a peer. A setting of a run is given once."""

    def __init__(self, peer: Peer) -> None:
        self.runs: dict[str, dict[str, Run]] = {}
        """By full name of the experiment and name of the run."""
        alter = rf"ALTER EXPERIMENT {_EXPERIMENT}"
        answers = {
            rf"CREATE EXPERIMENT IF NOT EXISTS {_EXPERIMENT}": self._create,
            rf"DROP EXPERIMENT {_EXPERIMENT}": self._drop,
            rf"{alter} ADD RUN {_RUN}": self._add_run,
            rf"{alter} COMMIT RUN {_RUN}(?: WITH STATUS='(?P<status>\w+)')?": self._commit,
            rf"{alter} MODIFY RUN {_RUN} ADD METRICS=\$\$(?P<json>.*)\$\$": self._add_metrics,
            rf"{alter} MODIFY RUN {_RUN} ADD PARAMETERS=\$\$(?P<json>.*)\$\$": self._add_params,
            rf"SHOW RUNS LIKE '(?P<like>.*)' IN EXPERIMENT {_EXPERIMENT}": self._show,
        }
        for pattern, answer in answers.items():
            whole = re.compile(rf"\s*{pattern}\s*", re.IGNORECASE | re.DOTALL)

            def reply(
                sql: str, _: Any, __: Any, answer: Any = answer, whole: Any = whole
            ) -> Answer:
                match = whole.fullmatch(sql)
                if match is None:
                    raise SqlError(1003, "42000", "SQL compilation error:\nsyntax error")
                found: Answer = answer(match)
                return found

            peer.on(rf"^\s*{pattern}\s*$", reply)

    def _of(self, match: re.Match[str]) -> dict[str, Run]:
        name = match["experiment"].upper()
        if name not in self.runs:
            raise LookupError(name)
        return self.runs[name]

    def _open(self, match: re.Match[str]) -> Run:
        run = self._of(match).get(match["run"].upper())
        if run is None or run.status != "RUNNING":
            raise SqlError(400001, "22023", "The run does not exist or is not running.")
        return run

    def _create(self, match: re.Match[str]) -> Answer:
        self.runs.setdefault(match["experiment"].upper(), {})
        return _DONE

    def _drop(self, match: re.Match[str]) -> Answer:
        self._of(match)
        del self.runs[match["experiment"].upper()]
        return _DONE

    def _add_run(self, match: re.Match[str]) -> Answer:
        runs, name = self._of(match), match["run"].upper()
        if name in runs:
            raise SqlError(400002, "42710", "The run exists already.")
        runs[name] = Run()
        return _DONE

    def _commit(self, match: re.Match[str]) -> Answer:
        self._open(match).status = match["status"] or "FINISHED"
        return _DONE

    def _add_metrics(self, match: re.Match[str]) -> Answer:
        run = self._open(match)
        for point in json.loads(match["json"], parse_constant=_refuse):
            run.points.append((point["name"], point["step"], point["value"]))
        return _DONE

    def _add_params(self, match: re.Match[str]) -> Answer:
        run, new = self._open(match), json.loads(match["json"])
        if any(param["name"] in run.params for param in new):
            raise SqlError(400004, "42710", "A parameter exists already.")
        run.params.update({param["name"]: param["value"] for param in new})
        return _DONE

    def _show(self, match: re.Match[str]) -> Answer:
        like = re.escape(match["like"]).replace("%", ".*").replace("_", ".")
        rows = [
            [name, json.dumps({"status": run.status})]
            for name, run in self._of(match).items()
            if re.fullmatch(like, name, re.IGNORECASE)
        ]
        return ["name", "metadata"], rows


def _refuse(constant: str) -> None:
    raise SqlError(100069, "22P02", f"Error parsing JSON: {constant}")
