"""Install lungreg in a notebook of Snowflake; this file lies beside the notebooks there.

It runs before lungreg is installed: it imports only the standard library, Snowflake's client, and
Ray where there are several nodes. What it installs lies on a stage, with the start script of jobs,
whose code does the installation here too.
"""

from __future__ import annotations

import importlib
import io
import json
import runpy
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

ABOUT = "install_lungreg.json"
"""File beside this one: stage, Python of the wheels on it, and number of nodes."""
WHEELS = "wheels"
"""Folder of the stage, and here beside the files of its folder "start"; where no hosts can be
reached."""


def install(workspace: Path = Path()) -> None:
    """Install lungreg beside the runtime's packages, or change nothing and say why.

    With `compute_pool.notebook_nodes` in the configuration the notebook's cluster is brought to so
    many nodes, and each of them gets the same.

    Args:
        workspace: Folder of the notebooks, which is the working folder of each.

    Raises:
        RuntimeError: The runtime's packages do not allow it, such as its torch or ray.
    """
    about = json.loads((workspace / ABOUT).read_text(encoding="utf-8"))
    refuse_other_python(about["python"])
    with TemporaryDirectory(prefix="lungreg-") as temporary:
        folder = Path(temporary)
        fetch(about["stage"], folder, with_wheels=about["python"] is not None)
        try:
            load(folder / "start.py")(folder)
        except SystemExit as refused:
            raise RuntimeError(str(refused.code)) from None
        importlib.invalidate_caches()
        if (about["nodes"] or 1) > 1:
            install_on_other_nodes(folder, about["nodes"])
    print("lungreg: installed", flush=True)


def refuse_other_python(sent_for: str | None) -> None:
    """Refuse wheels that were fetched for another Python than the notebook's.

    Args:
        sent_for: Such as "3.11"; None where none were sent.

    Raises:
        RuntimeError: They cannot be installed here.
    """
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sent_for not in (None, here):
        msg = (
            f"lungreg: its wheels on the stage are for Python {sent_for}, got {here}; connect the "
            f"notebook to a service with Python {sent_for}, or let it install from an index with "
            "backend.egress.hosts and 'lungreg setup --notebooks --execute'"
        )
        raise RuntimeError(msg)


def fetch(stage: str, folder: Path, *, with_wheels: bool) -> None:
    """Download what is installed, with the session of the notebook.

    GET flattens what it fetches, so that each folder of the stage is fetched by itself.

    Args:
        stage: Such as "@LUNGREG.UTILS.PACKAGES".
        folder: Empty.
        with_wheels: Whether the wheels of lungreg's requirements lie there too.
    """
    from snowflake.snowpark.context import get_active_session

    session = get_active_session()
    session.file.get(f"{stage}/start/", str(folder))
    if with_wheels:
        (folder / WHEELS).mkdir()
        session.file.get(f"{stage}/{WHEELS}/", str(folder / WHEELS))


def load(script: Path) -> Callable[[Path], None]:
    """The function of the start script of jobs that installs what lies in a folder.

    Not by an import, which would leave compiled code among the files that other nodes get.
    """
    found: Callable[[Path], None] = runpy.run_path(str(script), run_name="lungreg_start")["install"]
    return found


def install_on_other_nodes(folder: Path, nodes: int) -> None:
    """Bring the notebook's cluster to a number of nodes, and install on the other ones.

    They see no folder of this node: each gets the files through Ray.

    Raises:
        RuntimeError: A node refuses the installation.
    """
    from lungreg.backends.snowflake.connection.runtime import scale_notebook_cluster

    if not scale_notebook_cluster(nodes):
        return
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if not ray.is_initialized():
        ray.init(address="auto")
    here, archive = ray.get_runtime_context().get_node_id(), ray.put(packed(folder))
    others = [n["NodeID"] for n in ray.nodes() if n["Alive"] and n["NodeID"] != here]
    remote = ray.remote(num_cpus=0)(node_installer())
    strategies = [NodeAffinitySchedulingStrategy(node, soft=False) for node in others]
    waiting = [remote.options(scheduling_strategy=each).remote(archive) for each in strategies]
    failed = [text for code, text in ray.get(waiting) if code != 0]
    if failed:
        msg = f"lungreg: a node refused the installation: {failed[0]}"
        raise RuntimeError(msg)
    print(f"lungreg: installed on {len(others)} other nodes", flush=True)


def node_installer() -> Callable[[bytes], tuple[int, str]]:
    """A function that installs from a ZIP archive; returns pip's exit code and error output.

    Made inside another one, it is sent to a node as code: this file is not there.
    """

    def unpack_and_install(archive: bytes) -> tuple[int, str]:
        import io
        import subprocess
        import sys
        import tempfile
        import zipfile

        with tempfile.TemporaryDirectory() as there:
            zipfile.ZipFile(io.BytesIO(archive)).extractall(there)
            command = [sys.executable, f"{there}/start.py", "--install-only"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr.strip()[-2000:]

    return unpack_and_install


def packed(folder: Path) -> bytes:
    """All files of a folder as a ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return buffer.getvalue()
