"""Sphinx settings: ``make docs`` builds the pages into ``docs/_build/html``, without a network."""

from __future__ import annotations

import inspect
import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import command_tables  # noqa: E402
import gallery  # noqa: E402
import prior_tables  # noqa: E402
from numpydoc.xref import DEFAULT_LINKS  # noqa: E402

import bayes_scaling as bs  # noqa: E402

shutil.rmtree(HERE / "notebooks", ignore_errors=True)
shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks")
(HERE / "gallery.txt").write_text(gallery.table(HERE / "notebooks"), encoding="utf-8")
(HERE / "prior_tables.txt").write_text(prior_tables.every_table(), encoding="utf-8")
(HERE / "commands.txt").write_text(command_tables.every_table(), encoding="utf-8")

project = "bayes-scaling"
author = "The bayes-scaling maintainers"
copyright = author
version = release = bs.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # formulae show without a network
    "numpydoc",
    "myst_nb",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = "bayes-scaling"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_copy_source = False
nitpicky = True
nitpick_ignore = [("py:class", "collections.abc.Mapping")]

nb_execution_mode = "off"  # the notebooks are shown as they are stored; the tests execute them
myst_enable_extensions = ["dollarmath", "amsmath"]

autosummary_generate = True
autodoc_inherit_docstrings = False  # a law's own page shows what is its own
autodoc_typehints = "none"  # types stand in the docstrings
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {name: name for name in DEFAULT_LINKS}  # Python's own types need no link
numpydoc_xref_aliases |= {
    word: f":obj:`{word} <{target}>`"
    for word, target in {
        **{name: f"bayes_scaling.{name}" for name in bs.__all__ if name[0].isupper()},
        "DataFrame": "pandas.DataFrame",
        "Distribution": "numpyro.distributions.distribution.Distribution",
        "matplotlib.axes.Axes": "matplotlib.axes.Axes",
        "matplotlib.figure.Figure": "matplotlib.figure.Figure",
        "numpy.ndarray": "numpy.ndarray",
        "pandas.DataFrame": "pandas.DataFrame",
        "pandas.Series": "pandas.Series",
        "xarray.DataArray": "xarray.DataArray",
        "xarray.Dataset": "xarray.Dataset",
        "xarray.DataTree": "xarray.DataTree",
    }.items()
}

# Inventories of version 1 are plain text; these few lines name what the pages link to, so that no build fetches any.
intersphinx_mapping = {
    "arviz_stats": ("https://python.arviz.org/projects/stats/en/stable/", "inventories/arviz_stats.txt"),
    "matplotlib": ("https://matplotlib.org/stable/", "inventories/matplotlib.txt"),
    "numpy": ("https://numpy.org/doc/stable/", "inventories/numpy.txt"),
    "numpyro": ("https://num.pyro.ai/en/stable/", "inventories/numpyro.txt"),
    "pandas": ("https://pandas.pydata.org/docs/", "inventories/pandas.txt"),
    "xarray": ("https://docs.xarray.dev/en/stable/", "inventories/xarray.txt"),
}


def show_priors_by_name(app: Any, what: str, name: str, obj: Any, options: Any, signature: str, returned: str) -> Any:
    """Show the priors of a law by name in its signature; their values stand in the tables of priors."""
    if inspect.isclass(obj) and issubclass(obj, bs.Law):
        return f"(*, {', '.join(inspect.signature(obj).parameters)})", returned
    return None


def setup(app: Any) -> None:
    """Register what is not an extension of its own."""
    app.connect("autodoc-process-signature", show_priors_by_name)
