"""The table of layers in the README, held: who may import whom, how long a file may be, what must be documented."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "seqvae"

# A file imports only from entries above its own, and from its own folder.
LAYERS = (
    "types",
    "noise",
    "devices",
    "meanings",
    "files",
    "pipes",
    "config",
    "settings",
    "downloads",
    "cache",
    "core",
    "nets",
    "evaluation",
    "view",
    "modalities",
    "recipes",
    "models",
    "memory",
    "datasets",
    "runs",
    "corpus",
    "ngram",
    "neighbours",
    "priors",
    "local_direction",
    "attributes",
    "levels",
    "constraints",
    "data",
    "generate",
    "codes",
    "variation",
    "evenness",
    "way",
    "walks",
    "family",
    "evaluate",
    "build",
    "index_file",
    "model",
    "projections",
    "choosing",
    "adding",
    "sheets",
    "pictures",
    "comparison",
    "training",
    "fitting",
    "attribute_fitting",
    "indexing",
    "finding",
    "projector",
    "language_models",
    "magenta",
    "export",
    "app",
    "cli",
    "api",
    "__main__",
)
# Entries that may import less than all that stands above them.
NARROWER = {
    "types": set(),
    "noise": {"types"},
    "meanings": set(),
    "files": set(),
    "pipes": set(),
    "config": {"meanings", "files"},
    "settings": {"meanings", "config"},
    "downloads": {"files"},
    "cache": {"config", "files"},
    "models": {"config"},
    "core": {"types", "noise"},
    "nets": {"types", "noise", "config"},
    "evaluation": {"types", "noise", "core", "nets"},
    "view": {"types"},
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60  # lines
SHAPED = (
    "types",
    "noise",
    "core",
    "nets",
    "evaluation",
    "generate",
)  # entries in which no tensor crosses a function without its axes
STRICT = (
    "types",
    "noise",
    "core",
    "nets",
    "evaluation",
    "generate",
)  # entries without `Any`, but for these files, which read JSON or foreign objects:
READ_FOREIGN_OBJECTS: frozenset[str] = frozenset()

FILES = sorted(PACKAGE.rglob("*.py"))
MODULE_FILES = [path for path in FILES if path != PACKAGE / "__init__.py"]
ALL_FILES = [path for folder in ("seqvae", "scripts", "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    """seqvae/core/vae.py -> seqvae.core.vae; seqvae/core/__init__.py -> seqvae.core."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path) for path in FILES}


def entry(module: str) -> str:
    """The line of the tree that a module belongs to: seqvae.core.vae -> core; seqvae itself -> ''."""
    return module.partition(".")[2].partition(".")[0]


def imported_modules(source: str, module: str, is_package: bool, modules: set[str]) -> Iterator[tuple[int, str]]:
    """(line, module) of every import of seqvae in a source text, the ones inside functions included."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            # "from seqvae import data" names a module, "from seqvae.data import Corpus" an object inside one.
            targets = [f"{origin}.{a.name}" if f"{origin}.{a.name}" in modules else origin for a in node.names]
            # The version is a constant of the root that any file may read.
            if origin == "seqvae" and [alias.name for alias in node.names] == ["__version__"]:
                targets = []
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            name = node.args[0]
            targets = [name.value] if isinstance(name, ast.Constant) and isinstance(name.value, str) else []
        else:
            continue
        yield from ((node.lineno, target) for target in targets if target.split(".")[0] == "seqvae")


def imports_of(path: Path) -> list[tuple[int, str]]:
    source = path.read_text(encoding="utf-8")
    return list(imported_modules(source, module_name(path), path.name == "__init__.py", MODULES))


def is_allowed(importer: str, imported: str) -> bool:
    """Whether one entry of the tree may import another; '' is seqvae/__init__.py, which stands below model."""
    if importer == imported:
        return True
    if imported == "":
        return LAYERS.index(importer) > LAYERS.index("model")
    if importer in NARROWER:
        return imported in NARROWER[importer]
    return LAYERS.index(imported) < LAYERS.index(importer)


def public_definitions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def test_every_file_of_the_package_stands_in_the_table_of_layers() -> None:
    unknown = {entry(module_name(path)) for path in MODULE_FILES} - set(LAYERS)
    assert not unknown, f"give {sorted(unknown)} a place in LAYERS here and in the README's tree"


@pytest.mark.parametrize("path", MODULE_FILES, ids=relative)
def test_a_file_imports_only_from_layers_above_it(path: Path) -> None:
    importer = entry(module_name(path))
    edges = [(line, module) for line, module in imports_of(path) if not is_allowed(importer, entry(module))]
    assert not edges, "\n".join(f"{relative(path)}:{line} imports {module}" for line, module in edges)


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module_name(path): {module for _, module in imports_of(path)} for path in MODULE_FILES}
    # The root imports lazily, whatever a user asks it for.
    graph["seqvae"] = set()
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import seqvae.core.vae", ["seqvae.core.vae"]),
        ("from seqvae import data, load", ["seqvae.data", "seqvae"]),
        ("from seqvae import __version__", []),
        ("from .posterior import DiagonalGaussian", ["seqvae.core.posterior"]),
        ("from . import posterior", ["seqvae.core.posterior"]),
        ("from .. import data", ["seqvae.data"]),
        ("def f():\n    from ..cli import main", ["seqvae.cli"]),
        ("importlib.import_module('seqvae.cli')", ["seqvae.cli"]),
        ("import torch\nfrom math import log", []),
    ],
)
def test_the_reader_of_imports_sees_every_form(source: str, expected: list[str]) -> None:
    modules = {"seqvae", "seqvae.data", "seqvae.core", "seqvae.core.vae", "seqvae.core.posterior", "seqvae.cli"}
    found = [module for _, module in imported_modules(source, "seqvae.core.vae", False, modules)]
    assert found == expected


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("core", "types", True),
        ("core", "core", True),
        ("core", "config", False),
        ("core", "nets", False),
        ("nets", "core", False),
        ("evaluation", "nets", True),
        ("evaluation", "config", False),
        ("view", "core", False),
        ("data", "modalities", True),
        ("data", "training", False),
        ("training", "model", True),
        ("model", "training", False),
        ("model", "", False),
        ("training", "", True),
        ("cli", "", True),
    ],
)
def test_the_rule_of_layers_refuses_what_points_down(importer: str, imported: str, allowed: bool) -> None:
    assert is_allowed(importer, imported) is allowed


@pytest.mark.parametrize("path", ALL_FILES, ids=relative)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{relative(path)} has {lines} lines; split it by what it is about"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions, methods and functions within these."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From the line of its name to its last one, the docstring among them."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_the_lines_of_a_function_begin_with_its_name_and_end_with_its_last() -> None:
    tree = ast.parse(
        "@decorated\n@again\ndef f(\n    x,\n):\n    'words'\n\n    def g():\n        return 1\n\n    return g\n"
    )
    assert {function.name: lines_of(function) for function in functions(tree)} == {"f": 9, "g": 2}


@pytest.mark.parametrize("path", ALL_FILES, ids=relative)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = [
        f"{relative(path)}:{function.lineno} {function.name} has {lines_of(function)} lines"
        for function in functions(ast.parse(path.read_text(encoding="utf-8")))
        if lines_of(function) > LONGEST_FUNCTION
    ]
    assert not long, "; ".join(long)


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_public_functions_and_classes_have_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for node in public_definitions(tree)
        if not ast.get_docstring(node)
    ]
    assert not bare, "\n".join(bare)


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_only_the_command_line_prints(path: Path) -> None:
    calls = [
        f"{relative(path)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not calls or entry(module_name(path)) == "cli", "\n".join(calls)


def annotations(tree: ast.AST) -> Iterator[ast.expr]:
    """What parameters, results and fields of classes are annotated with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            own = node.args
            every = [*own.posonlyargs, *own.args, *own.kwonlyargs, own.vararg, own.kwarg]
            yield from (argument.annotation for argument in every if argument is not None and argument.annotation)
            yield from [node.returns] if node.returns else []
        elif isinstance(node, ast.ClassDef):
            yield from (part.annotation for part in node.body if isinstance(part, ast.AnnAssign))


def bare_tensors(annotation: ast.expr) -> Iterator[int]:
    """The lines where a tensor has no axes: `Tensor` outside of `Float[Tensor, "B Z"]` and its like."""
    if isinstance(annotation, ast.Name | ast.Attribute) and ast.unparse(annotation) in ("Tensor", "torch.Tensor"):
        yield annotation.lineno
    elif isinstance(annotation, ast.Subscript):
        inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        has_axes = ast.unparse(inner[0]) == "Tensor" and isinstance(inner[-1], ast.Constant)
        for part in [] if has_axes else inner:
            yield from bare_tensors(part)
    elif isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        yield from (annotation.lineno for _ in bare_tensors(ast.parse(annotation.value, mode="eval").body))
    else:
        for child in ast.iter_child_nodes(annotation):
            if isinstance(child, ast.expr):
                yield from bare_tensors(child)


@pytest.mark.parametrize(
    ("annotation", "bare"),
    [
        ("Tensor", True),
        ("torch.Tensor | None", True),
        ("tuple[int, Tensor]", True),
        ("Callable[[int, Tensor], int]", True),
        ("'Tensor'", True),
        ("Float[Tensor, 'B Z']", False),
        ("tuple[Float[Tensor, ' B'], ...] | None", False),
        ("Callable[[Float[Tensor, ' B']], Tensor]", True),
        ("Module", False),
    ],
)
def test_the_reader_of_annotations_finds_tensors_without_axes(annotation: str, bare: bool) -> None:
    source = f"def f(x: {annotation}) -> None: ...\nclass C:\n    x: {annotation}\n    def m(self) -> {annotation}: ..."
    assert [len(list(bare_tensors(found))) for found in annotations(ast.parse(source))].count(1) == 3 * bare


@pytest.mark.parametrize("path", [path for path in FILES if entry(module_name(path)) in SHAPED], ids=relative)
def test_a_tensor_crosses_functions_with_its_axes_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines = [line for annotation in annotations(tree) for line in bare_tensors(annotation)]
    assert not lines, "\n".join(f"{relative(path)}:{line} has a Tensor without axes" for line in sorted(lines))


@pytest.mark.parametrize("path", [path for path in FILES if entry(module_name(path)) in STRICT], ids=relative)
def test_a_file_that_reads_no_foreign_objects_does_without_any(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "Any"]
    if relative(path) in READ_FOREIGN_OBJECTS:
        assert lines, f"{relative(path)} does without Any; take it off the list"
        return
    assert not lines, "\n".join(f"{relative(path)}:{line} names Any" for line in lines)


def test_import_seqvae_does_not_import_torch() -> None:
    command = "import sys, seqvae; print([name for name in ('torch', 'accelerate') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
