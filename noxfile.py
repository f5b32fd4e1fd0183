"""Everything that is run on this project, one session each: `nox -l` lists them.

Most share the environment of the session `env`, since torch, Ray and MLflow take minutes to
install: `demo` and `lungreg` need the package alone, `tools` adds what `lint`, `tests` and `gpu`
need. A second run only installs the package anew, in seconds.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import nox
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["lint", "tests"]

ROOT = Path(__file__).parent
CONSTRAINTS = ROOT / ".ci" / "constraints.txt"
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
GROUPS = nox.project.dependency_groups(PYPROJECT, "test", "lint")
IN_PROCESSES = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
"""Options of pytest: each process takes the next file; a later `-n 0` switches it off.

One more than the two cores of the usual runner, since tests of killed workers mostly wait.
"""
COMPILED = (0, 1)
"""Exit codes of the compiler: some packages bring templates that are no Python."""
TINY_DEMO = ("--cases", "5")
"""Arguments of `lungreg demo` that show that an installation works at all."""


@nox.session(reuse_venv=True, default=False)
def env(session: nox.Session) -> None:
    """The package with all its extras, at the versions of the constraints."""
    install(session, "--no-compile", ".[all]")
    session.run_install("python", *compiler(session), success_codes=COMPILED)


@nox.session(venv_backend="none", requires=["env"], default=False)
def tools(session: nox.Session) -> None:
    """What tests and lint need, added to that environment."""
    pip = ("-m", "pip", "install", "--no-compile", "-c", str(CONSTRAINTS))
    run(session, "python", *pip, *GROUPS)
    run(session, "python", *compiler(session), success_codes=COMPILED)


@nox.session(venv_backend="none", requires=["env"], default=False)
def kernels(session: nox.Session) -> None:
    """What numba compiles, compiled once: each process of the tests would spend half a minute."""
    run(session, "python", "-m", "tests.compile_kernels")


@nox.session(venv_backend="none", requires=["tools"])
def lint(session: nox.Session) -> None:
    """Style, types and layers; every check runs, whatever the others say."""
    failed = []
    for tool in (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("lint-imports", "--no-logo"),
    ):
        try:
            run(session, *tool)
        except nox.command.CommandFailed:
            failed.append(" ".join(tool))
    if failed:
        session.error(f"failed: {', '.join(failed)}")


@nox.session(venv_backend="none", requires=["tools"])
def tests(session: nox.Session) -> None:
    """All tests, the slow ones too; `nox -s tests -- -m "not slow"` passes arguments on.

    In three processes; a debugger needs one: `nox -s tests -- -n 0 --pdb tests/test_records.py`.
    """
    run(session, "pytest", *IN_PROCESSES, *session.posargs)


@nox.session(reuse_venv=True, default=False)
def docs(session: nox.Session) -> None:
    """The documentation into site/, strictly: `nox -s docs -- serve` shows it while it is written.

    In an environment of its own without torch: docstrings are read from the files.
    """
    install(session, "hatchling", *nox.project.dependency_groups(PYPROJECT, "docs"))
    session.install("--no-deps", "--no-build-isolation", ".")
    asked = session.posargs or ["build", "--strict"]
    session.run("python", "-m", "mkdocs", *asked, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(venv_backend="none", requires=["env"], default=False)
def pictures(session: nox.Session) -> None:
    """The documentation's pictures anew, from simulated pairs; needs Chromium, some minutes."""
    run(session, "python", "-m", "docs.make_pictures", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def lungreg(session: nox.Session) -> None:
    """Any command in that environment: `nox -s lungreg -- infer -c lungreg-demo/demo.yaml`."""
    run(session, "lungreg", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def demo(session: nox.Session) -> None:
    """The main job on simulated pairs; `nox -s demo -- --out DIR --cases N` passes arguments on."""
    run(session, "lungreg", "demo", *session.posargs)


@nox.session(reuse_venv=True, default=False)
def bench(session: nox.Session) -> None:
    """Steps beside the reference recipe, then `lungreg register` beside the classical tools.

    `nox -s bench -- --steps` measures the steps alone, on one thread; what follows is passed on to
    them, such as `--shape 48 48 64 --lines training`. Other arguments are for the tools, and leave
    the steps out: `nox -s bench -- --pairs 30mm --tools lungreg ConvexAdam`, or
    `--pairs varied --troubles none slices5mm` for pairs that nothing was tuned on.
    """
    test_group = nox.project.dependency_groups(PYPROJECT, "test", "bench")
    install(session, ".[all]", *test_group)
    session.run("pytest", "tests/benchmarks", "--benchmark-enable")
    asked = [argument for argument in session.posargs if argument != "--steps"]
    steps = "--steps" in session.posargs
    if steps or not asked:
        one_thread = {"OMP_NUM_THREADS": "1"}
        session.run("python", "-m", "tests.benchmarks.steps", *asked, env=one_thread)
    if not steps:
        session.run("python", "-m", "tests.benchmarks.compare", *asked)


@nox.session(venv_backend="none", requires=["tools"], default=False)
def calibrate(session: nox.Session) -> None:
    """Are verdicts true? Varied good and bad cases, tables of confusion; 90 minutes on two cores.

    `nox -s calibrate -- --rounds 2 --groups cut turned` makes fewer cases.
    """
    run(session, "python", "-m", "tests.varied.calibrate", *session.posargs)


@nox.session(venv_backend="none", requires=["tools"], default=False)
def gpu(session: nox.Session) -> None:
    """The tests that need a GPU, a small set trained and registered on it, and its speed, kept."""
    asked = "import torch; print(torch.cuda.is_available())"
    answer = run(session, "python", "-c", asked, silent=True)
    if str(answer).split()[-1:] != ["True"]:
        session.skip("the installed torch sees no GPU")
    run(session, "pytest", "-m", "gpu", *session.posargs)
    with TemporaryDirectory() as folder:
        run(session, "lungreg", "demo", "--out", f"{folder}/demo", *TINY_DEMO)
    run(session, "python", "-m", "tests.benchmarks.gpu_goals")


@nox.session(default=False)
def minimums(session: nox.Session) -> None:
    """The fast tests on the lowest versions that `pyproject.toml` allows; torch as constrained.

    Without those of Snowflake: the peer needs a newer DuckDB than lungreg does.
    """
    torch = pin_of("torch")
    lowest = [f"torch=={torch}", *map(lowest_of, runtime_requirements(but="torch"))]
    test_group = nox.project.dependency_groups(PYPROJECT, "test")
    peer_group = nox.project.dependency_groups(PYPROJECT, "peer")
    session.install(*lowest, *(constrained(it) for it in test_group if it not in peer_group))
    session.install("--no-deps", ".")
    session.run("pip", "check")
    # Old libraries warn of what newer ones have mended: nothing this project could act on.
    session.run("pytest", "-m", "not slow", "-W", "default", *session.posargs)


@nox.session(default=False)
def core(session: nox.Session) -> None:
    """The package without extras: what it needs, what works, and what says what to install."""
    install(session, ".")
    session.run("pip", "check")
    session.run("python", "-m", "tests.core_commands")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Wheel and sdist; the wheel works in an environment that holds nothing but itself."""
    install(session, "build", "virtualenv")
    with TemporaryDirectory() as folder:
        out = Path(folder)
        pinned = {"PIP_CONSTRAINT": str(CONSTRAINTS)}
        session.run("python", "-m", "build", "--outdir", f"{out}/dist", env=pinned)
        (wheel,) = (out / "dist").glob("*.whl")
        session.run("python", "-m", "virtualenv", f"{out}/fresh")
        pip = (f"{out}/fresh/bin/python", "-m", "pip")
        whole = f"{wheel}[train,cluster]"
        session.run(*pip, "install", "-c", str(CONSTRAINTS), whole, external=True)
        session.run(*pip, "check", external=True)
        command = f"{out}/fresh/bin/lungreg"
        session.run(command, "--help", external=True)
        session.run(command, "demo", "--out", f"{out}/demo", *TINY_DEMO, external=True)


def install(session: nox.Session, *packages: str) -> None:
    """Install at the versions of the constraints, the build backend's included."""
    pinned = {"PIP_BUILD_CONSTRAINT": str(CONSTRAINTS)}
    session.install("-c", str(CONSTRAINTS), *packages, env=pinned)


def compiler(session: nox.Session) -> tuple[str, ...]:
    """Arguments of Python that compile what is installed in `env`, but not others' own tests.

    pip would do so on one core, and takes longer for it than for all else.
    """
    libraries = session.env_dir.parent / "env" / "lib"
    tests = r"site-packages[/\\].*[/\\]tests[/\\]"
    return ("-m", "compileall", "-qq", "-j", "0", "-x", tests, str(libraries))


def run(
    session: nox.Session,
    command: str,
    *args: str,
    silent: bool = False,
    success_codes: tuple[int, ...] = (0,),
) -> object:
    """Run a command of the shared environment, with its other commands on the path."""
    scripts = session.env_dir.parent / "env" / "bin"
    path = os.pathsep.join([str(scripts), os.environ.get("PATH", "")])
    return session.run(
        str(scripts / command),
        *args,
        env={"PATH": path},
        silent=silent,
        success_codes=success_codes,
    )


def runtime_requirements(*, but: str) -> list[Requirement]:
    """What the core, training and a cluster ask for, except one package."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    asked = map(Requirement, [*project["dependencies"], *extras["train"], *extras["cluster"]])
    return [requirement for requirement in asked if requirement.name != but]


def lowest_of(requirement: Requirement) -> str:
    """The requirement pinned to its lower bound, its extras kept: `ray[train]==2.46`."""
    (bound,) = (part.version for part in requirement.specifier if part.operator == ">=")
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}=={bound}"


def constrained(requirement: str) -> str:
    """A tool's requirement pinned as in the constraints, so that only the runtime is old."""
    name = Requirement(requirement).name
    return f"{name}=={pin_of(name)}"


def pin_of(package: str) -> str:
    """The version of a package in the constraints."""
    pins = (line.partition("==") for line in CONSTRAINTS.read_text().splitlines())
    found = {canonicalize_name(name): version for name, _, version in pins}
    return found[canonicalize_name(package)]
