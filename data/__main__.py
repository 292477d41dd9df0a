"""Compute tables of figures anew: ``python -m bayes_scaling.data [STUDY ...]``, by default all that are carried."""

import sys

from bayes_scaling.data import available, embedded, write_figures
from bayes_scaling.errors import suggest


def main(names: list[str]) -> None:
    """Write the tables of these studies and print where."""
    known = available()
    for name in names:
        if name not in known:
            raise SystemExit(f"There is no study {name!r}; {suggest(name, known)}")
    for name in names or filter(embedded, known):
        print(write_figures(name))


if __name__ == "__main__":
    main(sys.argv[1:])
