"""The list of jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lungreg.backends.snowflake.jobs import SnowflakeJobs
from tests.backends.snowflake.jobs.service import JobService


def test_jobs_are_listed_the_newest_first(jobs: SnowflakeJobs, service: JobService) -> None:
    """Whoever lost an id finds it again; jobs of other programs are left out."""
    times = [datetime(2026, 11, day, tzinfo=UTC) for day in (20, 22, 21, 22)]
    service.history = [
        ("LUNGREG_TRAIN_A", "DONE", "BIG", times[0]),
        ("LUNGREG_BATCH_B", "RUNNING", "LUNGREG_GPU", times[1]),
        ("LUNGREG_INFER_C", "PENDING", "BIG", times[2]),
        ("MLJOB_D", "DONE", "BIG", times[3]),
    ]
    found = jobs.latest(2)
    assert [(job.job_id, job.status, job.pool) for job in found] == [
        ("D.UTILS.LUNGREG_BATCH_B", "running", "LUNGREG_GPU"),
        ("D.UTILS.LUNGREG_INFER_C", "pending", "BIG"),
    ]
    assert [job.created_at for job in found] == times[1:3]


def test_jobs_beyond_the_latest_hundred_are_listed(
    jobs: SnowflakeJobs, service: JobService
) -> None:
    """Without a limit of ours the account gives 100 jobs, of other programs too."""
    day = datetime(2026, 11, 20, tzinfo=UTC)
    service.history = [("LUNGREG_TRAIN_A", "DONE", "BIG", day)]
    service.history += [
        (f"MLJOB_{number}", "DONE", "BIG", day + timedelta(minutes=number + 1))
        for number in range(120)
    ]
    assert [job.job_id for job in jobs.latest()] == ["D.UTILS.LUNGREG_TRAIN_A"]
