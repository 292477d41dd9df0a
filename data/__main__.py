"""Compute every embedded table of figures anew: ``python -m bayes_scaling.data``."""

from bayes_scaling.data import available, embedded, write_figures

if __name__ == "__main__":
    for study in available():
        if embedded(study):
            print(write_figures(study))
