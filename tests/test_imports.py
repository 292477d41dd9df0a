from __future__ import annotations

import subprocess
import sys

HEAVY = ("jax", "numpyro", "numpy", "pandas", "matplotlib", "xarray", "scipy", "arviz_base")


def printed(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_package_alone_loads_nothing_heavy():
    code = f"import sys, bayes_scaling\nprint([m for m in {HEAVY} if m in sys.modules])\nprint(len(sys.modules))"
    heavy, count = printed(code)
    assert heavy == "[]"
    assert int(count) < 120  # 70 with Python 3.11, most of them Python's own


def test_help_loads_few_modules():
    code = (
        "import sys, contextlib, bayes_scaling.cli.app as c\n"
        "with contextlib.suppress(SystemExit): c.main(['--help'])\n"
        f"print([m for m in {HEAVY} if m in sys.modules])\n"
        "print(len(sys.modules))"
    )
    *_, heavy, count = printed(code)
    assert heavy == "[]"
    assert int(count) < 450  # 324 with Python 3.11; with JAX they are 2000


def test_laws_are_made_without_a_backend():
    code = (
        "from bayes_scaling import Law, Study, fit, fit_many\n"
        "from bayes_scaling.models import Chinchilla\n"
        "from bayes_scaling.models.two_step import routes\n"
        "repr(Chinchilla()), repr(routes())\n"
        "from jax._src import xla_bridge\n"
        "print(len(xla_bridge._backends))"
    )
    assert printed(code) == ["0"]


def test_numpyro_works_where_another_package_left_it_to_be_loaded_at_its_first_use():
    """As ArviZ does from 1.0 on; every fit failed in a script that imports it first."""
    code = (
        "import lazy_loader\n"
        "lazy_loader.load('numpyro')\n"
        "from bayes_scaling.models import Chinchilla\n"
        "import numpyro\n"
        "print(numpyro.distributions.distribution.Unit.__name__)"
    )
    assert printed(code) == ["Unit"]
