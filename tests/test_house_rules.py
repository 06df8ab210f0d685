"""The rules of the house, held against the code: who imports whom, how long a function may be, what is exported."""

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import osler

PACKAGE = Path(osler.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
BASE = {"records", "protocols", "errors", "files", "config", "parallel", "text", "late_interaction"}
EVERYTHING = {path.stem if path.parent == PACKAGE else path.relative_to(PACKAGE).parts[0] for path in FILES}
MAY_IMPORT = {
    "records": set(),
    "errors": set(),
    "files": {"errors"},
    "parallel": set(),
    "protocols": {"records"},
    "config": {"errors"},
    "text": {"records", "errors"},
    "late_interaction": {"records", "errors", "parallel"},
    "corpus": BASE,
    "models": BASE,
    "index": BASE,
    "generators": BASE,
    "storable": {"records"},
    "indexing": BASE | {"storable"},
    "search": BASE,
    "answer": BASE,
    "datasets": BASE | {"corpus"},
    "evaluate": BASE | {"datasets", "models", "search", "answer"},
    "train": BASE | {"corpus", "datasets", "models", "index", "indexing", "search", "answer", "evaluate"},
    "load": BASE | {"corpus", "models", "index", "generators", "storable", "indexing", "search", "answer"},
    "cli": EVERYTHING,
    "__main__": {"cli"},
    "__init__": {"records", "errors", "load", "config", "corpus", "index", "search", "answer", "train"},
}


def part_of(path: Path) -> str:
    return path.stem if path.parent == PACKAGE else path.relative_to(PACKAGE).parts[0]


def imported_parts(path: Path) -> set[str]:
    """Parts of osler that the file imports anywhere, also inside functions and by name."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names += [node.module] if node.module != "osler" else [f"osler.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("osler."):
            names.append(node.value)
    return {name.split(".")[1] for name in names if name.startswith("osler.")} & EVERYTHING


def functions(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef) -> int:
    return node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_part_may_import(path):
    part = part_of(path)
    assert imported_parts(path) - {part} <= MAY_IMPORT[part]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_package_knows_nothing_of_the_experiments(path):
    assert not re.search(r"^\s*(from|import) experiments\b", path.read_text(), re.MULTILINE)


def test_no_function_has_more_than_70_lines_and_nine_of_ten_at_most_35():
    lengths = sorted(length(node) for path in FILES for node in functions(path))
    assert lengths[-1] <= 70
    assert lengths[int(len(lengths) * 0.9)] <= 35


def test_no_function_of_the_library_takes_more_than_six_arguments():
    for path in FILES:
        if part_of(path) == "cli":  # a command has a parameter a flag
            continue
        for node in functions(path):
            names = [argument.arg for argument in node.args.args + node.args.kwonlyargs]
            assert len([name for name in names if name not in {"self", "cls"}]) <= 6, f"{path}: {node.name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_has_at_most_400_lines_and_says_what_it_is(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    assert ast.get_docstring(ast.parse(text))


def test_comments_stand_where_they_are_needed_and_names_say_what_they_hold():
    house = runpy.run_path(str(PACKAGE.parent / "scripts" / "house.py"))
    figures = house["figures"](house["read_modules"](PACKAGE))
    assert figures["lines with a comment"] >= 0.015
    assert figures["filler words among bindings"] <= 0.02


def test_the_exported_names_are_sorted_and_there():
    assert osler.__all__ == sorted(osler.__all__)
    assert all(getattr(osler, name).__module__.startswith("osler.") for name in osler.__all__)


def test_every_error_is_exported():
    from osler import errors

    assert {name for name, value in vars(errors).items() if is_own(value, errors)} <= set(osler.__all__)


def test_the_exported_names_are_those_that_a_type_checker_sees():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert set(osler.__all__) == set(imported) - {"import_module", "TYPE_CHECKING", "Any"}


def is_own(value, module) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def test_importing_osler_loads_no_heavy_module():
    code = "import sys, osler; print({'torch', 'lancedb', 'pydantic', 'openvino', 'tokenizers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_help_of_the_command_line_loads_no_heavy_module():
    code = (
        "import sys\nfrom osler.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print({'torch', 'lancedb', 'numpy', 'osler.config', 'openvino', 'lxml'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n"
    assert "search" in done.stdout
