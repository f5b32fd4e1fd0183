"""The job script for SLURM, run by bash; lungreg, ray, srun and scontrol are small stand-ins."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "configs" / "slurm.sh"
RUN = "infer-20261128-101500-3fa9c1"
JOB = "77"

LUNGREG = f"""#!/bin/bash
echo "lungreg $* ray=${{RAY_ADDRESS:-own}}" >>calls
trap 'echo "lungreg: go on with lungreg infer --resume {RUN}"; exit 130' TERM
echo {RUN} >"$LUNGREG_RUN_FILE"
echo "run infer-20250101-101500-3fa9c1: pass" # whatever it says
[ -e finishes ] && exit "$(cat finishes)"
for _ in $(seq 200); do sleep 0.05; done
"""
SRUN = """#!/bin/bash
echo "srun $*" >>calls
while [[ $1 == --* ]]; do shift; done
exec "$@"
"""
RAY = """#!/bin/bash
[ "$2" = --help ] && { [ -e old_ray ] && exit 2 || exit 0; }
echo "ray $*" >>calls
[ -n "$RAY_AUTH_TOKEN" ] && echo "$RAY_AUTH_MODE $RAY_AUTH_TOKEN" >>secrets
[ "$1" = start ] && exec sleep 5
while [ "$1" != -- ]; do shift; done
shift
"$@"
"""
SCONTROL = """#!/bin/bash
echo "scontrol $*" >>calls
[ "$1" = show ] && printf 'node1\\nnode2\\n'
exit 0
"""
PYTHON = "#!/bin/bash\nexit 0\n"
GETENT = """#!/bin/bash
[ "$*" = "ahostsv4 node1" ] && printf '10.0.0.7 STREAM node1\n10.0.0.7 DGRAM\n'
"""

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to call the script from, with the stand-ins in bin/."""
    programs = {
        "lungreg": LUNGREG,
        "srun": SRUN,
        "ray": RAY,
        "scontrol": SCONTROL,
        "python": PYTHON,
        "getent": GETENT,
    }
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def begin(folder: Path, *options: str, nodes: int = 1) -> subprocess.Popen[bytes]:
    """Start the job, as the first node of its allocation would."""
    surroundings = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "SLURM_JOB_ID": JOB,
        "SLURM_JOB_NUM_NODES": str(nodes),
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_CPUS_PER_TASK": "4",
    }
    return subprocess.Popen(
        ["bash", str(SCRIPT), "infer", "-c", "lungreg.yaml", *options],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for_run(folder: Path) -> None:
    """Wait until lungreg has begun its run, and said something."""
    log, ends = folder / f"lungreg-{JOB}.log", time.monotonic() + 10
    while not (log.is_file() and "pass" in log.read_text()):
        assert time.monotonic() < ends, "lungreg did not start"
        time.sleep(0.02)


def calls(folder: Path) -> list[str]:
    """What was called, in order."""
    return (folder / "calls").read_text().splitlines()


def assert_one_secret(folder: Path) -> None:
    """All nodes ask for a token, and know the same one."""
    secrets = set((folder / "secrets").read_text().splitlines())
    assert len(secrets) == 1
    assert re.fullmatch(r"token [0-9a-f]{64}", secrets.pop())


def assert_all_cores(found: list[str]) -> None:
    """SLURM 22.05 gives a step one core unless it asks for more."""
    steps = [call for call in found if call.startswith("srun")]
    assert steps
    assert all("--cpus-per-task=4" in call for call in steps)


@pytest.mark.parametrize("code", [0, 3])
def test_a_job_ends_as_the_command_does(folder: Path, code: int) -> None:
    """On one node neither srun nor Ray is called, and nothing is queued."""
    (folder / "finishes").write_text(str(code))
    assert begin(folder).wait(timeout=20) == code
    assert calls(folder) == ["lungreg infer -c lungreg.yaml ray=own"]


def test_before_its_time_is_up_a_job_is_queued_again_and_goes_on(folder: Path) -> None:
    """USR1 ends the run in order; the second start resumes it."""
    job = begin(folder)
    wait_for_run(folder)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(timeout=20) == 130
    assert calls(folder)[-1] == f"scontrol requeue {JOB}"
    (folder / "finishes").write_text("0")
    assert begin(folder).wait(timeout=20) == 0
    assert calls(folder)[-1] == f"lungreg infer -c lungreg.yaml --resume {RUN} ray=own"


def test_a_job_whose_node_died_goes_on(folder: Path) -> None:
    """Nothing ended the run in order; its id is known, whatever lungreg says or does not say.

    The run has its cases, so that it is not asked for new ones.
    """
    job = begin(folder, "--new")
    wait_for_run(folder)
    os.kill(int((folder / f"lungreg-{JOB}.pid").read_text()), signal.SIGKILL)
    job.kill()
    job.wait()
    (folder / "finishes").write_text("0")
    assert begin(folder, "--new").wait(timeout=20) == 0
    first, second = calls(folder)
    assert first == "lungreg infer -c lungreg.yaml --new ray=own"
    assert second == f"lungreg infer -c lungreg.yaml --resume {RUN} ray=own"


def test_a_preempted_job_is_left_to_slurm(folder: Path) -> None:
    """TERM ends the run in order too; the script queues nothing, since SLURM does."""
    job = begin(folder)
    wait_for_run(folder)
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=20) == 130
    assert "scontrol" not in " ".join(calls(folder))
    assert not (folder / f"lungreg-{JOB}.pid").exists()


def test_several_nodes_are_joined_by_symmetric_run(folder: Path) -> None:
    """Lungreg is told of the cluster, and is stopped through Ray's own command."""
    job = begin(folder, nodes=2)
    wait_for_run(folder)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(timeout=20) == 130
    found = calls(folder)
    assert any(
        "ray symmetric-run --address node1:6379 --min-nodes 2 --num-cpus=4 -- bash" in call
        for call in found
    )
    assert "lungreg infer -c lungreg.yaml ray=node1:6379" in found
    assert found[-1] == f"scontrol requeue {JOB}"
    assert_one_secret(folder)
    assert_all_cores(found)


def test_an_older_ray_is_started_by_head_and_workers(folder: Path) -> None:
    """One node is the head, the others join it."""
    (folder / "old_ray").touch()
    (folder / "finishes").write_text("0")
    assert begin(folder, nodes=2).wait(timeout=20) == 0
    found = calls(folder)
    starts = {
        "ray start --num-cpus=4 --block --head --node-ip-address=10.0.0.7 --port=6379",
        "ray start --num-cpus=4 --block --address=10.0.0.7:6379",
        "lungreg infer -c lungreg.yaml ray=10.0.0.7:6379",
    }
    assert starts <= set(found)
    assert_one_secret(folder)
    assert_all_cores(found)
