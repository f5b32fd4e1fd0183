"""The whole pipeline in an account, as a person runs it, beside the same on this machine."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lungreg.backends.snowflake.connection.pool import close_all
from lungreg.records import CaseResult, Status
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.dialect import IS_FILES
from tests.backends.snowflake.story import (
    BARE,
    BROKEN,
    PATIENT,
    Story,
    case_ids,
    files_under,
    in_the_account,
    of_the_database,
    on_this_machine,
    run_of,
    site,
    there_settings,
)
from tests.site import destroy_started

# The story is told once, for all of this module: two minutes, or six beside two other tests.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

VARYING = {"run_id", "worker", "read_s", "compute_s", "write_s", "started_at", "finished_at"}


@pytest.fixture(scope="module")
def story(running: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """One pipeline in the account, then the same cases and weights on this machine."""
    folder = tmp_path_factory.mktemp("pipeline")
    there, here = site(folder / "there", there_settings()), folder / "here"
    pause = time.sleep
    running.forget()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "sleep", lambda seconds: pause(min(seconds, 0.5)))
            said = in_the_account(there, running)
            shutil.copytree(there.folder, here)
            local = site(here, {"root": "./stage", "tracking": False})
            local_run = on_this_machine(local)
        yield Story(
            case_ids=case_ids(there),
            said=said,
            runs={
                "ray": run_of(there, said["ray"].document["run_id"]),
                "run-batch": run_of(there, said["run-batch"].document["run_id"]),
                "local": run_of(local, local_run),
            },
            statements=tuple(running.statements),
            account=of_the_database(files_under(running.stages.root)),
            logins=json.dumps(running.logins),
            page_here=(there.folder / "pages" / "report.html").read_text(),
        )
    finally:
        destroy_started()
        close_all()
        running.forget()


def comparable(row: CaseResult) -> dict[str, str]:
    """A row without what differs from run to run."""
    kept = {key: value for key, value in dataclasses.asdict(row).items() if key not in VARYING}
    return {key: str(value).replace(row.run_id, "RUN") for key, value in kept.items()}


def figures(metrics: bytes) -> dict[str, Any]:
    """The figures of metrics.json, without times."""
    return {key: value for key, value in json.loads(metrics).items() if key not in VARYING}


@pytest.mark.parametrize("engine", ["ray", "run-batch"])
def test_rows_and_files_are_those_of_this_machine(story: Story, engine: str) -> None:
    """The same cases and weights give the same rows and images, wherever they are computed.

    Whole pairs, one stored with an offset, one without masks; a damaged one fails alike.
    """
    there, here = story.runs[engine], story.runs["local"]
    assert [comparable(row) for row in there.rows] == [comparable(row) for row in here.rows]
    by_case = {row.case_id: row for row in there.rows}
    failed = [row.case_id for row in there.rows if row.status is not Status.SUCCESS]
    assert failed == [story.case_ids[BROKEN]]
    assert by_case[story.case_ids[BARE]].dice_score is None
    assert by_case.keys() == set(story.case_ids.values())
    assert there.files.keys() == here.files.keys()
    exact = [name for name in here.files if name.endswith((".nii.gz", "displacement.json"))]
    assert len(exact) == 3 * 4 - 1  # no mask to carry without masks
    run_ids = (there.rows[0].run_id.encode(), here.rows[0].run_id.encode())
    for name in exact:
        assert there.files[name].replace(*run_ids) == here.files[name], name
    for name in [name for name in here.files if name.endswith("metrics.json")]:
        assert figures(there.files[name].replace(*run_ids)) == figures(here.files[name])
    assert sum(name.endswith("qc.html") for name in there.files) == 3


def test_what_a_person_sees(story: Story) -> None:
    """The published query, the report, the versions and their aliases, credits and the bill."""
    assert story.said["ingest"].out.count(": pass") == 4
    assert "(4 unchanged), 0 rejected; 0 files uploaded" in story.said["again"].out
    log = story.said["submit"].out.splitlines()
    assert any(line.startswith("train 2/2") for line in log)
    assert "lungreg: exit code 0" in log
    answered = story.said["results"].document
    expected = [row for name in ("ray", "run-batch") for row in story.runs[name].rows]
    assert len(answered) == len(expected)
    scores = {(row.case_id, row.dice_score, row.ssim_score) for row in expected}
    assert {(r["case_id"], r["dice_score"], r["ssim_score"]) for r in answered} == scores
    assert {row["model_version"] for row in answered} == {"1"}
    known = [row["dice_score"] for row in answered if row["dice_score"] is not None]
    assert known == sorted(known, reverse=True)
    assert story.page_here == story.runs["run-batch"].report
    pages = [story.runs[engine].report for engine in ("ray", "run-batch")]
    assert all(case_id in page for case_id in story.case_ids.values() for page in pages)
    (version,) = story.said["models"].document
    assert (version["version"], set(version["aliases"])) == ("1", {"champion", "approved"})
    assert (story.said["export"].code, story.said["export"].err) == (0, "")
    assert "estimate: about" in story.said["cost"].out
    assert "SNOWPARK_CONTAINER_SERVICES_HISTORY" in story.said["cost"].out


def test_only_file_statements_name_a_case(story: Story) -> None:
    """Every other statement carries case ids in binds, whatever a person did."""
    ids = story.case_ids.values()
    named = [item for item in story.statements if any(one in item.text for one in ids)]
    assert named
    assert [item.text for item in named if not IS_FILES.match(item.text)] == []
    bound = [item for item in story.statements if any(one in str(item.binds) for one in ids)]
    assert {item.text.split()[0].upper() for item in bound} == {"INSERT", "MERGE"}


def test_tags_name_application_run_and_step_alone(story: Story) -> None:
    """Each command under its own name, with its run where it has one."""
    tags = [json.loads(item.tag) for item in story.statements if item.tag]
    assert {key for tag in tags for key in tag} == {"app", "run", "step"}
    untagged = [item.text for item in story.statements if not item.tag]
    assert untagged == []
    of_a_run = {tag["step"] for tag in tags if "run" in tag}
    assert of_a_run == {"train", "infer", "report", "cost", "evaluate", "export"}
    steps = {tag["step"] for tag in tags if "step" in tag}
    assert steps - of_a_run == {"setup", "ingest", "jobs", "models", "results", "register"}


def test_values_travel_beside_the_text(story: Story) -> None:
    """No statement on rows holds a text, a number with a point or a run, but the user's own."""
    rows = re.compile(r"\s*(SELECT|WITH|INSERT|MERGE|UPDATE|DELETE)\b", re.IGNORECASE)
    value = re.compile(r"'[^']*'|\$\$|\d\.\d|(?:train|infer)-\d{8}")
    result = re.compile(r"result_scan\('[0-9a-f-]{36}'\)", re.IGNORECASE)  # a query's own id
    about_rows = [item.text for item in story.statements if rows.match(item.text)]
    assert len(about_rows) > 10
    assert [text for text in about_rows if value.search(result.sub("", text))] == []


def test_nothing_in_the_account_knows_a_name(story: Story) -> None:
    """Under pseudonyms: no statement, bind, tag, file, model, login or line on the screen."""
    for item in story.statements:
        assert PATIENT not in f"{item.text} {item.binds} {item.tag}"
    assert [name for name, data in story.account.items() if PATIENT.encode() in data] == []
    assert PATIENT not in "".join(story.account)
    assert PATIENT not in story.logins
    assert any(name.endswith("weights.safetensors") for name in story.account)
    assert any(name.endswith(".parquet") or "results" in name for name in story.account)
    seen = [each for step, each in story.said.items() if step != "register"]
    assert PATIENT not in "".join(each.out + each.err for each in seen)


def test_nothing_of_the_job_stays(story: Story) -> None:
    """The rows that a batch job was given, and what it wrote them back as, are removed."""
    assert [name for name in story.account if "/batch/" in name] == []
