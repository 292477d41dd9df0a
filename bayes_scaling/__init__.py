"""Bayesian scaling laws: forecast large training runs from small ones, with honest intervals.

Importing this package starts neither JAX nor NumPyro; they load with the first law.  Fits run in 64-bit precision
inside the package's own calls; your global JAX setting is left as it is.

The public names stand in ``__init__.pyi``, each with the module it lives in; they load when they are first used.
"""

import lazy_loader

from bayes_scaling import checkout
from bayes_scaling.version import __version__ as __version__

checkout.install()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
