"""README and docs run as they stand: ```python and ```bash blocks, in order, in a folder of their own a document."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GENERATED = {"performance", "results", "ablation", "sweep", "slow_hour", "amx"}
DOCUMENTS = [
    ROOT / "README.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name not in GENERATED),
]
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_example_of_the_document_runs(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    names: dict[str, object] = {"__name__": "docs"}
    for kind, code in BLOCK.findall(document.read_text(encoding="utf-8")):
        if kind == "python":
            exec(compile(code, document.name, "exec"), names)
        else:
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", code], capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_an_example_imports_from_osler_alone(document):
    code = "".join(code for kind, code in BLOCK.findall(document.read_text(encoding="utf-8")) if kind == "python")
    modules = {name for name in re.findall(r"^ *(?:from|import) (\S+)", code, re.MULTILINE) if name.startswith("osler")}
    assert document.name == "parts.md" or modules <= {"osler"}


def test_every_make_target_that_the_readme_names_is_there():
    named = set(re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named
    for target in named:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_every_setting_is_documented():
    from osler.config import Settings

    text = (ROOT / "docs" / "reference" / "settings.md").read_text()
    for stage, field in Settings.model_fields.items():
        for name in field.annotation.model_fields:
            assert f"`{stage}.{name}`" in text, f"{stage}.{name} is missing in docs/reference/settings.md"


def test_every_setting_of_a_recipe_is_documented_with_its_default():
    from pydantic import BaseModel
    from pydantic_core import PydanticUndefined

    from osler.train import settings

    text = (ROOT / "docs" / "guides" / "training.md").read_text()
    parts = [
        part for part in vars(settings).values() if isinstance(part, type) and part.__module__ == settings.__name__
    ]
    fields = {name: field for part in parts for name, field in part.model_fields.items()}
    tables = {name for name, field in fields.items() if isinstance(field.default, BaseModel)} | {"data"}
    for name in fields.keys() - tables:
        default = fields[name].default
        shown = "required" if default is PydanticUndefined else f"`{str(default).lower()}`"
        shown = "empty" if default in (None, "", ()) else shown
        assert name == "markers" or f"| `{name}` | {shown} |" in text.lower(), (
            f"{name} is missing in docs/guides/training.md"
        )


def test_every_recipe_is_possible():
    from osler.train.settings import load_recipe

    recipes = [load_recipe(path) for path in (ROOT / "recipes").glob("*.toml")]
    assert recipes
    assert all(recipe.data for recipe in recipes)


def test_the_defaults_that_the_help_names_are_those_of_the_settings():
    from osler.cli import options
    from osler.config import SearchSettings
    from osler.load import DEFAULT_MODEL

    named = {"k": options.K, "num_candidates": options.NumCandidates, "candidates": options.Candidates}
    for name, option in named.items():
        assert option.__metadata__[0].show_default == str(SearchSettings.model_fields[name].default)
    assert options.DEFAULT_MODEL == DEFAULT_MODEL


def test_the_reference_lists_every_exported_name_once():
    import osler

    text = (ROOT / "docs" / "reference" / "api.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(osler.__all__)
    described = re.findall(r"^::: osler\.(\w+)$", text, re.MULTILINE)
    assert sorted(described) == [name for name in sorted(osler.__all__) if not name.endswith("Error")]


def test_every_error_is_documented_in_the_tree_and_in_the_table():
    from osler import errors

    text = (ROOT / "docs" / "reference" / "errors.md").read_text()
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OslerError)]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [kind.__name__ for kind in kinds]
    for kind in kinds:
        indent = 4 * (kind.mro().index(Exception) - 1)
        assert re.search(rf"^.{{{indent}}}[├└]── {kind.__name__}$", text, re.MULTILINE), kind


def test_every_page_is_in_the_navigation_of_the_site():
    pages = set(re.findall(r'"([\w/]+\.md)"', (ROOT / "zensical.toml").read_text()))
    assert {str(path.relative_to(ROOT)) for path in DOCUMENTS} <= pages


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_page_reads_the_same_on_github_and_on_the_site(document):
    """The site's Markdown nests by four spaces, and begins a list at any number; GitHub's does neither."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^ {1,3}(?:\||[-*+] |\d+[.)] ).*", text, re.MULTILINE) == []


def commands():
    """Every command of the command line by its name."""
    from typer.main import get_command

    from osler.cli import app

    found = dict(get_command(app).commands)
    for group in ("train", "evaluate"):
        found |= {f"{group} {name}": command for name, command in found[group].commands.items()}
    return found


def test_each_paragraph_of_a_help_text_behind_the_first_is_one_line():
    """Typer keeps line breaks there, so a terminal would wrap the lines again."""
    for name, command in commands().items():
        assert not [text for text in command.help.split("\n\n")[1:] if "\n" in text.strip("\n")], name


def test_every_flag_is_documented_in_the_section_of_its_command():
    text = (ROOT / "docs" / "reference" / "cli.md").read_text()
    sections = dict(re.findall(r"^## osler (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert sections.keys() == commands().keys()
    for name, command in commands().items():
        flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        named = {flag for flag in flags if re.search(rf"`{flag}[` ]", sections[name])}
        arguments = {parameter.name for parameter in command.params if parameter.param_type_name == "argument"}
        assert flags - named == arguments, name


@pytest.mark.parametrize("name", ["ablation.__main__", "negation", "full_text"])
def test_every_flag_of_an_experiment_is_documented(name):
    from typer.main import get_command

    command = get_command(importlib.import_module(f"experiments.{name}").app)
    text = (ROOT / "docs" / "lab" / "experiments.md").read_text()
    flags = {flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")}
    shared = {"--help", "--json", "--device", "--settings", "--encoder", "--reranker"}
    assert f"python -m experiments.{name.removesuffix('.__main__')}" in text
    assert [flag for flag in flags - shared if flag not in text] == []
