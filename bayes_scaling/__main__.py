"""``python -m bayes_scaling`` is ``bayes-scaling``."""

from bayes_scaling.cli.app import main

if __name__ == "__main__":
    main()
