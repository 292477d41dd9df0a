"""The arguments and options of every command, a table each, read from the functions that the commands are."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bayes_scaling.cli.app import app

COLUMNS = ("option", "takes", "by default", "what it does")
KINDS = {int: "whole number", float: "number", Path: "path", bool: "nothing"}


class Option(NamedTuple):
    """An option as its table shows it, or an argument, which stands for itself."""

    name: str
    takes: str
    default: str
    about: str
    argument: bool = False


def commands() -> dict[str, Callable[..., Any]]:
    """Return the function of every command by its name."""
    found = {c.name or c.callback.__name__: c.callback for c in app.registered_commands if c.callback}
    return dict(sorted(found.items()))


def options(command: Callable[..., Any]) -> Iterator[Option]:
    """Yield the arguments and options of a command, in their order."""
    hints = typing.get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        if typing.get_origin(hints[name]) is not typing.Annotated:
            continue  # the context, which no user gives
        given, info = typing.get_args(hints[name])[:2]
        argument = type(info).__name__ == "ArgumentInfo"
        names = [info.default, *(info.param_decls or ())]  # typer keeps the first name where a default may stand
        named = [one for one in names if isinstance(one, str)] or [f"--{name.replace('_', '-')}"]
        shown = info.metavar or name.upper() if argument else ", ".join(named)
        none = parameter.default is None or parameter.default is False
        default = "" if none else "must be given" if parameter.default is parameter.empty else str(parameter.default)
        yield Option(shown, kind(given), default, info.help or "", argument)


def kind(given: Any) -> str:
    """Return what an option takes, by its type."""
    inner = [one for one in (given, *typing.get_args(given)) if one in KINDS]
    return KINDS[inner[0]] if inner else "text"


def table(name: str, command: Callable[..., Any]) -> str:
    """Return the section of one command in reStructuredText."""
    found, title = list(options(command)), f"``{name}``"
    called = [o.name if o.default else f"[{o.name}]" for o in found if o.argument]
    more = [] if all(o.argument for o in found) else ["[OPTIONS]"]
    lines = [title, "~" * len(title), "", inspect.cleandoc(command.__doc__ or ""), "", ".. code-block:: text", ""]
    lines += ["   " + " ".join(("bayes-scaling", name, *called, *more)), ""]
    if found:
        lines += [".. list-table::", "   :header-rows: 1", "   :widths: 24 13 13 50", ""]
        rows = ((f"``{o.name}``", o.takes, o.default, quoted(o.about)) for o in found)
        for row in (COLUMNS, *rows):
            lines += [f"   {'  -' if i else '* -'} {cell}".rstrip() for i, cell in enumerate(row)]
    return "\n".join((*lines, "", ""))


def quoted(text: str) -> str:
    """Return words for a person as reStructuredText, in which some characters are marks."""
    return "".join(f"\\{letter}" if letter in "\\*`_|" else letter for letter in text)


def every_table() -> str:
    """Return the sections of all commands."""
    return "".join(table(name, command) for name, command in commands().items())
