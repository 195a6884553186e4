"""The import graph: each package imports only those below it, and modules form no cycle.

All imports count: at the top of a module, inside functions, and for type checkers only.
"""

from __future__ import annotations

import graphlib

import grimp
import pytest

LAYERS = (  # from the highest to the lowest; those of one line do not import one another
    ("experiments", "benchmarks"),
    ("marlcomm.cli",),
    ("marlcomm.sweeps",),
    ("marlcomm.analysis",),
    ("marlcomm.bridge",),
    ("marlcomm.training",),
    ("marlcomm.algorithms",),
    ("marlcomm.learners",),
    ("marlcomm.agents",),
    ("marlcomm.messages",),
    ("marlcomm.networks",),
    ("marlcomm.losses",),
    ("marlcomm.envs",),
)
GROUND = {f"marlcomm.{name}" for name in ("types", "validation", "named", "names", "renamed", "devices", "short_repr")}

MAY_IMPORT = {  # external package -> the packages in which it may be imported
    "matplotlib": (
        "marlcomm.envs.render",
        "marlcomm.training.curves",
        "marlcomm.analysis.figures",
        "marlcomm.analysis.report",
        "experiments",
    ),
    "tyro": ("marlcomm.cli",),
    "rich": ("marlcomm.cli", "marlcomm.training.progress", "marlcomm.analysis.report"),
    "jinja2": ("marlcomm.analysis.report",),
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("marlcomm", "experiments", "benchmarks", include_external_packages=True, cache_dir=None)


def inside(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imports(graph: grimp.ImportGraph, *packages: str) -> set[tuple[str, str]]:
    """(importer, imported) of every module in `packages` that imports something of ours outside them."""
    return {
        (module, imported)
        for module in graph.modules
        if inside(module, *packages)
        for imported in graph.find_modules_directly_imported_by(module)
        if inside(imported, "marlcomm", "experiments", "benchmarks") and not inside(imported, *packages)
    }


def test_every_module_has_a_place(graph):
    placed = {package for layer in LAYERS for package in layer} | GROUND
    top = {"marlcomm", "marlcomm.__main__"}
    assert graph.find_children("marlcomm") | {"marlcomm", "experiments", "benchmarks"} == placed | top


@pytest.mark.parametrize("package", [package for layer in LAYERS for package in layer])
def test_a_package_imports_only_those_below_it(graph, package):
    height = next(number for number, layer in enumerate(LAYERS) if package in layer)
    allowed = GROUND.union(*LAYERS[height + 1 :]) - {"marlcomm.cli"}
    if package in ("marlcomm.networks", "marlcomm.losses"):
        allowed -= {"marlcomm.envs"}  # no tasks
    upward = {(a, b) for a, b in imports(graph, package) if not inside(b, *allowed)}
    if height < 2:  # stands above all that `import marlcomm` gives
        upward = {(a, b) for a, b in upward if b != "marlcomm"}
    assert upward == set()


def test_the_ground_imports_nothing_of_ours_but_itself(graph):
    assert imports(graph, *GROUND) == set()


def test_there_is_no_cycle(graph):
    edges = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    order = {module: place for place, module in enumerate(graphlib.TopologicalSorter(edges).static_order())}
    early = {(a, b) for a, imported in edges.items() for b in imported if order[b] >= order[a]}
    assert early == set()  # a cycle is a CycleError before that, which names it


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_what_draws_prints_and_parses_is_imported_only_where_it_is_needed(graph, package):
    importers = graph.find_modules_that_directly_import(package)
    assert {module for module in importers if not inside(module, *MAY_IMPORT[package])} == set()
