"""Compute tables of figures anew: ``python -m bayes_scaling.data [STUDY ...]``, by default all that have an origin."""

import sys

from bayes_scaling.data import available, embedded, measured, write_figures
from bayes_scaling.errors import StudyError, suggest


def main(names: list[str]) -> None:
    """Write the tables of these studies and print where."""
    known = available()
    for name in names:
        if name not in known:
            raise SystemExit(f"There is no study {name!r}; {suggest(name, known)}")
    for name in names or [name for name in known if embedded(name) and not measured(name)]:
        try:
            print(write_figures(name))
        except StudyError as error:
            raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
