"""Decorators that make a command of a function: common options, one-line errors, exit codes.

`@command` adds -v, -q, --wide and --json and passes the `Console` that they ask for.
`@config_command` adds -c and --set too and passes the `ConfigOptions` as the second argument. The
function declares what is its own; typer sees its parameters first, then the common ones.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate

import typer

from lungreg.cli.bars import shown_progress, tell_at_once
from lungreg.cli.console import Console, printable
from lungreg.cli.failure import describe_failure, error_document
from lungreg.cli.process import keeping_last_words, program, stopped_by_signals, write_any_letter
from lungreg.errors import LungregError

if TYPE_CHECKING:
    from lungreg.config import Config

SOME_FAILED = 3
"""Exit code of a command that finished, but with cases that failed or were rejected."""
ANONYMOUS = "LUNGREG_ANONYMOUS"
"""Environment variable, set where others read the output, as in a job: no output names a case."""
_NOISY_LOGGERS = (
    *("matplotlib", "PIL", "filelock", "h5py", "pydicom", "urllib3", "asyncio", "alembic"),
    *("mlflow", "ray"),
)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML of the run.", show_default="./lungreg.yaml"),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A key of the config, such as a.b=1; may be repeated."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show details and tracebacks.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Errors and bad verdicts only.")]
Wide = Annotated[bool, typer.Option("--wide", help="All columns of tables, however wide.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
FieldKindName = Annotated[
    str | None,
    typer.Option(
        "--field-kind",
        metavar="displacement|position|velocity",
        help="What another tool's vectors are.",
        show_default="as the file says",
    ),
]
FieldFrameName = Annotated[
    str | None,
    typer.Option(
        "--field-frame",
        metavar="ras|lps",
        help="The world they are given in.",
        show_default="as the file says",
    ),
]
_NAMED = re.compile(
    r"'lungreg ((?:check|cost|doctor|evaluate|export|infer|ingest|jobs|models|report|results"
    r"|schedule|setup|submit|train)\b[^']*)'"
)
_WITHOUT_CONFIG = re.compile(r"'lungreg (?=(?:apply|config|demo|init|register|simulate)\b)")
Resume = Annotated[str | None, typer.Option("--resume", metavar="RUN", help="A run to go on with.")]


@dataclass(frozen=True, kw_only=True)
class ConfigOptions:
    """The values of -c and --set. The file is read when the command asks for its configuration."""

    file: Path | None
    """YAML file; None for ./lungreg.yaml, or for the defaults where there is none."""
    overrides: Sequence[str]
    """Changes of single keys, "a.b=value" each."""
    quiet: bool = False
    """Do not say that defaults are used."""

    def next_command(self, command: str) -> str:
        """A further command as the user can run it here: with the program and options of this one.

        Args:
            command: Such as "report RUN"; it takes a configuration.
        """
        given = [] if self.file is None else ["-c", str(self.file)]
        given += [part for override in self.overrides for part in ("--set", override)]
        return " ".join([program(), command, *map(shlex.quote, given)])

    def completed(self, text: str) -> str:
        """A text in which every 'lungreg COMMAND' runs as it stands there.

        It gets the program, and one that takes a configuration this one's options.
        In a log that others read it stays as it is: a file's name may be anybody's.
        """
        if os.environ.get(ANONYMOUS):
            return text
        text = _WITHOUT_CONFIG.sub(lambda _: f"'{program()} ", text)
        return _NAMED.sub(lambda found: f"'{self.next_command(found[1])}'", text)

    def keys(self, *more: str) -> list[str]:
        """The keys that this call sets beside the file; `more` as for `config`."""
        return [override.partition("=")[0].strip() for override in (*self.overrides, *more)]

    def config(self, *more: str) -> Config:
        """Read and check the configuration; say on stderr where there is no file of it.

        Args:
            more: Further overrides, which win over the user's.

        Raises:
            ConfigError: The file is missing, no YAML, or breaks a rule.
        """
        from lungreg.config import DEFAULT_FILE, load_config

        if self.file is None and not self.quiet and not Path(DEFAULT_FILE).is_file():
            given = " beside --set" if self.overrides else ""
            note = f"no {DEFAULT_FILE} here: defaults are used{given} (write one: {program()} init)"
            typer.echo(note, err=True)
        return load_config(self.file, [*self.overrides, *more])


def command(function: Callable[Concatenate[Console, ...], None]) -> Callable[..., None]:
    """Make a command of a function that takes a console, then its own parameters."""

    def run(
        *,
        verbose: Verbose = False,
        quiet: Quiet = False,
        wide: Wide = False,
        as_json: AsJson = False,
        **own: Any,
    ) -> None:
        with _running(verbose=verbose, quiet=quiet, wide=wide, as_json=as_json) as console:
            function(console, **own)

    return _with_signature(function, run, passed=1)


def config_command(
    function: Callable[Concatenate[Console, ConfigOptions, ...], None],
) -> Callable[..., None]:
    """Make a command of a function that takes a console and config options, then its own."""

    def run(
        console: Console, *, config: ConfigFile = None, overrides: Overrides = None, **own: Any
    ) -> None:
        options = ConfigOptions(file=config, overrides=overrides or (), quiet=console.quiet)
        try:
            with keeping_last_words():
                function(console, options, **own)
        except LungregError as error:
            error.mend = error.mend and options.completed(error.mend)
            raise

    return command(_with_signature(function, run, passed=2))


def _with_signature(function: Callable[..., None], run: Any, *, passed: int) -> Callable[..., None]:
    """Give `run` the name and help of `function`, and for typer the parameters of both.

    Args:
        function: As a command's file defines it.
        run: Calls it, with common options as keywords.
        passed: How many of the function's first parameters `run` passes; they are no options.
    """
    own = list(inspect.signature(function, eval_str=True).parameters.values())[passed:]
    common = list(inspect.signature(run, eval_str=True).parameters.values())[:-1]  # no **own
    first = [found for found in common if found.kind is not found.KEYWORD_ONLY]
    last = [found for found in common if found.kind is found.KEYWORD_ONLY]
    parameters = [*first, *(found.replace(kind=found.KEYWORD_ONLY) for found in own), *last]
    functools.update_wrapper(run, function)
    run.__signature__ = inspect.Signature(parameters)
    run.__annotations__ = {found.name: found.annotation for found in parameters}
    wrapper: Callable[..., None] = run
    return wrapper


@contextmanager
def _running(*, verbose: bool, quiet: bool, wide: bool, as_json: bool) -> Iterator[Console]:
    """Run a command's body: an error becomes one line on stderr and exit code 1."""
    write_any_letter()
    _set_up_logging(verbose=verbose, quiet=quiet)
    anonymous = bool(os.environ.get(ANONYMOUS))
    console = Console(quiet=quiet, as_json=as_json, wide=wide, anonymous=anonymous)
    tell = None if quiet else functools.partial(tell_at_once, console)
    with stopped_by_signals(tell):  # until the last line is out: a further signal must not lose it
        try:
            with shown_progress(console):
                yield console
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the last line of defence before the user
            failure = describe_failure(error, anonymous=anonymous, verbose=verbose)
            if verbose and not anonymous and not isinstance(error, KeyboardInterrupt):
                traceback.print_exc(file=sys.stderr)
            typer.echo(f"lungreg: {printable(failure['message'])}", err=True)
            console.document(error_document(failure))
            raise typer.Exit(1) from None


def _set_up_logging(*, verbose: bool, quiet: bool) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.ERROR if quiet else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
