"""The command line: ``bayes-scaling laws | studies | forecast | pair | plan | score``.

Every mistake is one sentence on the error stream and exit code 2; a fit that did not converge is exit code 3.  What
takes long to import is imported inside the commands, so that ``--help`` is instant.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from bayes_scaling.cli.forecast import forecast
from bayes_scaling.cli.pair import pair
from bayes_scaling.cli.plan import plan
from bayes_scaling.cli.score import score
from bayes_scaling.errors import COMMAND_LINE, BayesScalingError, ConvergenceError, LawError
from bayes_scaling.version import __version__

__all__ = ["app", "main"]

INTERRUPTED = 130
ONE_PAIR = ("--at", "--reach")  # options that take a single one


class Command(TyperCommand):
    """A command that refuses an option that it reads once and is given twice, where otherwise the last would count."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises
        ------
        BayesScalingError
            An option is given twice that is not repeatable.
        """
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option, times in Counter(order).items():
            if times > 1 and isinstance(option, TyperOption) and not (option.multiple or option.is_flag):
                name = max(option.opts, key=len)
                raise BayesScalingError(f"{name} is given twice, and {ctx.info_name} reads it once; give it once.")
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="bayes-scaling",
    help="Forecast large training runs from small ones, with honest intervals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    It is 0, 1 (an error that nobody foresaw), 2 (a mistake), 3 (not converged) or 130 (interrupted).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # the compiler's own alarms are not for our readers
    speaking = COMMAND_LINE.set(True)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(args=arguments, prog_name="bayes-scaling", standalone_mode=False)
    except ConvergenceError as error:
        fail(f"{error} Nothing was written.", 3)
    except BayesScalingError as error:
        fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        fail("Interrupted; nothing was written.", INTERRUPTED)
    except Exception as error:
        if hasattr(error, "format_message"):  # what typer says of a bad option
            said = error.format_message() or "Give a command; see bayes-scaling --help."
            fail(f"{said} {of_spaces(words)}" if "extra argument" in said else said, 2)
        if sys.flags.dev_mode:
            raise
        said = shlex.join(["python", "-X", "dev", "-m", "bayes_scaling", *words])
        fail(f"Unforeseen {type(error).__name__}: {error} ({said} shows where).", 1)
    finally:
        COMMAND_LINE.reset(speaking)
    code = code if isinstance(code, int) else 0  # a command returns what it found
    if code == INTERRUPTED:
        fail("Interrupted; nothing was written.", INTERRUPTED)
    sys.exit(code)


def fail(message: str, code: int) -> None:
    """Say one sentence on the error stream and leave."""
    sys.stderr.write(f"bayes-scaling: {' '.join(message.split())}\n")
    sys.exit(code)


def of_spaces(words: Sequence[str]) -> str:
    """Return how to write what the shell has torn apart at a space.

    Examples
    --------
    >>> of_spaces(["--map", "tokens=D,", "loss=val"]), of_spaces(["--task", "ARC", "Challenge"])
    ('Leave no space after a comma.', 'Put what has a space in it into quotes, as in --task "ARC Challenge".')
    >>> of_spaces(["--target", "N=7e9", "D=4e12"]), of_spaces(["--prior", "E=1.69", "sigma=0.01"])
    ('Join pairs by a comma, as in --target N=7e9,D=4e12.', 'Give each its own --prior, as in --prior sigma=0.01.')
    """
    if any(word.endswith(",") for word in words):
        return "Leave no space after a comma."
    pairs = [
        (option, first, second)
        for option, first, second in zip(words, words[1:], words[2:], strict=False)
        if option.startswith("--") and not first.startswith("-") and not second.startswith("-")
    ]
    option, first, second = pairs[0] if pairs else ("--task", "ARC", "Challenge")
    if "=" in first and "=" in second and option != "--where":
        if option == "--prior":
            return f"Give each its own {option}, as in {option} {second}."
        if option in ONE_PAIR:
            return f"Give {option} one pair, as in {option} {first}."
        return f"Join pairs by a comma, as in {option} {first},{second}."
    return f'Put what has a space in it into quotes, as in {option} "{first} {second}".'


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Forecast large training runs from small ones, with honest intervals."""


@app.command()
def laws(
    name: Annotated[str | None, typer.Argument(help="A law, for its priors with unit and reason.")] = None,
) -> None:
    """List the laws: name, equation, inputs and what they forecast; or the priors of one."""
    from bayes_scaling.cli.listings import law_table, prior_table
    from bayes_scaling.models import LAWS
    from bayes_scaling.models.defaults import AVERAGE, law_by_name
    from bayes_scaling.reporting.screen import output

    if name == AVERAGE:
        raise LawError(
            f"{AVERAGE!r} is no law but the average of several, which forecast makes of one loss where no --law is "
            "named; give one of its laws, such as superset."
        )
    table = prior_table(law_by_name(name)) if name else law_table({name: law_by_name(name) for name in LAWS})
    output().print(table)


@app.command()
def studies() -> None:
    """List the studies: rows, units, licence, and whether they need a download."""
    from bayes_scaling.cli.listings import study_table
    from bayes_scaling.data import available
    from bayes_scaling.reporting.screen import output

    output().print(study_table(available()))


for command in (forecast, pair, plan, score):
    app.command(cls=Command)(command)
