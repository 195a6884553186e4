"""How the site is built: Sphinx with myst-nb, as JAX's own is. Notebooks are executed while it is built.

`sphinx-build -W --keep-going docs docs/_build/html` builds it; `-D nb_execution_mode=off` leaves notebooks unexecuted.
"""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.domains.python import PyObject

import marlcomm as mc

project = "marlcomm"
author = "the authors of marlcomm"
release = mc.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "jupyter_execute", "**/.ipynb_checkpoints"]
html_theme = "furo"
html_title = "marlcomm"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
default_role = "code"  # what stands in single backquotes, in docstrings as on Markdown pages
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

autodoc_default_options = {"exclude-members": "replace, setup", "special-members": "__call__"}
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
autosummary_generate = False
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

nb_execution_mode = "cache"  # what did not change is not executed again
nb_execution_timeout = 900  # seconds a cell, for a machine that does other things too
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # pages look the same wherever they are built
# what pages train is small: it takes longer to compile than to run
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

OWN_TO_FLAX = re.compile(r", parent: Module \| Scope.*?, name: str \| None = None(?=\))")


def without_flax(app: Sphinx, kind: str, name: str, thing: Any, options: Any, signature: str | None, returned: Any):
    """A module's signature without the two arguments that only flax passes."""
    return (OWN_TO_FLAX.sub("", signature), returned) if signature else None


def plain_letters(app: Sphinx, kind: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """In docstrings |x| is a size, not a name to be replaced, and `num_agents: N.` is no list that begins with N."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", line)  # code, which stays as it is, stands at odd places
        line = "".join(part if place % 2 else part.replace("|", r"\|") for place, part in enumerate(parts))
        lines[number] = re.sub(r"(: [A-Z])\.$", r"\1\.", line)


def keep_compiled_programs(app: Sphinx) -> None:
    """Pages that train the same program compile it once."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(app.outdir).parent / ".compiled"))


def name_table(app: Sphinx) -> None:
    """The page of all names of `marlcomm`, from those that it exports: each with its first line, linked."""
    rooms = [name for name in mc.__all__ if inspect.ismodule(getattr(mc, name))]
    lines = [".. autosummary::", "   :nosignatures:", ""]
    for name in sorted(name for name in mc.__all__ if name not in rooms and not name.startswith("_")):
        home = next((f"marlcomm.{room}" for room in rooms if name in dir(getattr(mc, room))), "marlcomm")
        lines.append(f"   ~{home}.{name}")
    Path(app.srcdir, "api", "names.txt").write_text("\n".join([*lines, ""]))


def setup(app: Sphinx) -> None:
    """Connects the functions above."""
    for field in PyObject.doc_field_types:
        field.label = "Attributes" if field.name == "variable" else field.label
    app.connect("autodoc-process-signature", without_flax)
    app.connect("autodoc-process-docstring", plain_letters)
    app.connect("builder-inited", name_table)
    app.connect("builder-inited", keep_compiled_programs)
