"""Bayesian scaling laws: forecast large training runs from small ones, with honest intervals.

Importing this package starts neither JAX nor NumPyro; they load with the first law.  Fits run in 64-bit precision
inside the package's own calls; your global setting of precision is left as it is.  The first fit lets JAX keep compiled
programs on disk (``jax_compilation_cache_dir``, and no least time of compilation), for all of the process, unless you
have set a folder yourself; the variable ``BAYES_SCALING_CACHE`` names another, or switches it off where it is empty.
Traces of the package's own programs are kept beside them.

The public names stand in ``__init__.pyi``, each with the module it lives in; they load when they are first used.
"""

import lazy_loader

from bayes_scaling import checkout
from bayes_scaling.version import __version__ as __version__

checkout.install()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
