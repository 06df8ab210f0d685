"""A recipe from its TOML file and flags, every setting known and possible. Knows no data and no model."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from osler.errors import UsageError
from osler.train.settings import DataSettings, RecipeSettings, TuningSettings


def load_recipe(
    path: Path | None = None,
    *,
    data: Sequence[Mapping[str, str]] = (),
    flags: Mapping[str, Any] | None = None,
    changes: Sequence[str] = (),
) -> RecipeSettings:
    """The recipe of the file, with its data replaced where some are given, and flags that are not None on top.

    changes: `name=value` lines as in TOML, such as `retriever.batch=64`.

    >>> recipe = load_recipe(data=[{"folder": "scifact"}], changes=["retriever.batch=64"])
    >>> recipe.data[0].folder, recipe.retriever.batch
    ('scifact', 64)
    """
    values = _read(path) if path else {}
    if data:
        values["data"] = [dict(one) for one in data]
    values.update({name: value for name, value in (flags or {}).items() if value is not None})
    for change in changes:
        _apply(values, change)
    try:
        return RecipeSettings.model_validate(values)
    except ValidationError as error:
        raise UsageError(_first_problem(error, path)) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot read the recipe ({error.strerror}); name a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML ({error}); mend that place.") from error


def _apply(values: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    *tables, setting = name.strip().split(".")
    if not equals or not setting:
        raise UsageError(f"--set {change!r} is no setting: write name=value, such as retriever.batch=64.")
    owner: Any = values
    for table in tables:
        owner = _table(owner, table, change)
    if not isinstance(owner, dict):
        raise UsageError(f"--set {change!r}: name a data set by its number, such as data.0.pairs=500.")
    owner[setting] = _value(text.strip())


def _table(owner: Any, table: str, change: str) -> Any:
    """The table of this name, made where it is missing; a data set goes by its number from 0."""
    if isinstance(owner, list) and table.isdigit() and int(table) < len(owner):
        inner = owner[int(table)]
    elif isinstance(owner, dict):
        inner = owner.setdefault(table, {})
    else:
        raise UsageError(f"--set {change!r}: there is no data set {table}; count them from 0.")
    if not isinstance(inner, dict | list):
        raise UsageError(f"--set {change!r}: {table!r} is no table of settings.")
    return inner


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:  # a word without quotes
        return text


def _first_problem(error: ValidationError, path: Path | None) -> str:
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"])
    where = f"{path}: " if path else ""
    if problem["type"] == "extra_forbidden":
        known = ", ".join(sorted(_owner(problem["loc"]).model_fields))
        return f"{where}unknown setting {name!r}. Known settings: {known}."
    if problem["type"] == "missing":
        return f"{where}{name} is missing: set it."
    if problem["type"] == "model_type":
        return f"{where}{name} = {problem['input']!r} is no table of settings: write {name}.NAME = VALUE."
    return f"{where}{name} = {problem['input']!r} is not possible ({problem['msg'].lower()}): change it."


def _owner(place: tuple[int | str, ...]) -> type[BaseModel]:
    """The settings class that a misplaced name would belong to."""
    if len(place) == 1:
        return RecipeSettings
    if place[0] == "data":
        return DataSettings
    return TuningSettings if "tuning" in place else type(getattr(RecipeSettings(), str(place[0])))
