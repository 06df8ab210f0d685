"""The tables of the reference, made from the command line and from the settings. Knows Typer and pydantic."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo
from typer.main import get_command

from osler.cli import app
from osler.config import Settings
from osler.evaluate.report import table

REQUIRED = "required"


def commands() -> dict[str, Any]:
    """Every command of the command line by its name, those of a group with the group's name before their own."""
    named: dict[str, Any] = dict(get_command(app).commands)
    groups = {name: command for name, command in named.items() if hasattr(command, "commands")}
    subcommands = {
        f"{name} {step}": command for name, group in groups.items() for step, command in group.commands.items()
    }
    return named | subcommands


def flags(name: str) -> str:
    """The help text of a command with its examples, then a Markdown table of its arguments and flags."""
    command = commands()[name]
    rows = [(_names(parameter), _default(parameter), _help(parameter)) for parameter in command.params]
    paragraphs = [" ".join(paragraph.split()) for paragraph in command.help.split("\n\n")]
    examples = [paragraph for paragraph in paragraphs if paragraph.startswith("osler ") or " | osler " in paragraph]
    lines = [paragraph for paragraph in paragraphs if paragraph not in examples]
    if examples:
        lines.append("\n".join(["```console", *examples, "```"]))
    if rows:
        lines.append("\n".join(table(("flag", "default", "meaning"), rows)))
    return "\n\n".join(lines)


def settings(stage: str) -> str:
    """A Markdown table of the settings of a stage, with their defaults, possible values and meanings."""
    fields = Settings.model_fields[stage].annotation.model_fields  # type: ignore[union-attr]
    rows = [
        (f"`{stage}.{name}`", _code(field.default), _values(field), field.description) for name, field in fields.items()
    ]
    return "\n".join(table(("setting", "default", "values", "meaning"), rows))


def _names(parameter: Any) -> str:
    """The spellings of a flag with the name of its value; an argument by the latter alone."""
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`"
    value = "" if _flag_choices(parameter) else f" {parameter.metavar or ''}".rstrip()
    return ", ".join(f"`{name}{value}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _default(parameter: Any) -> str:
    if parameter.required:
        return REQUIRED
    if parameter.secondary_opts:
        return _code(parameter.opts[0] if parameter.default in (None, True) else parameter.secondary_opts[0])
    default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    return "" if default is False else _code(default)


def _help(parameter: Any) -> str:
    """The help text, with the values that a flag takes and the variable that sets it."""
    choices = ", ".join(_code(choice) for choice in _flag_choices(parameter))
    parts = (parameter.help, choices and f"Values: {choices}.", parameter.envvar and f"Variable: `{parameter.envvar}`.")
    return " ".join(filter(None, parts))


def _flag_choices(parameter: Any) -> tuple[Any, ...]:
    """The values of a flag, from its metavar (`local|URL`) or from its type."""
    if "|" in (parameter.metavar or ""):
        return tuple(parameter.metavar.split("|"))
    return _choices(parameter.type_descriptor.annotation)


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The values of a Literal, also of one that may be None."""
    for kind in (annotation, *get_args(annotation)):
        if get_origin(kind) is Literal:
            return get_args(kind)
    return ()


def _values(field: FieldInfo) -> str:
    """What a setting may be: its choices, or the limits of a number; "" where every value of its type will do."""
    if choices := (True, False) if field.annotation is bool else _choices(field.annotation):
        return ", ".join(_code(choice) for choice in choices)
    low = next((f"{limit.ge:,}" for limit in field.metadata if isinstance(limit, Ge)), "")
    above = next((f"above {limit.gt:,}" for limit in field.metadata if isinstance(limit, Gt)), "")
    high = next((f"{limit.le:,}" for limit in field.metadata if isinstance(limit, Le)), "")
    if high:
        return f"{above}, at most {high}" if above else f"{low} to {high}"
    return above or (f"at least {low}" if low else "")


def _code(value: Any) -> str:
    """A value as it is written in a file or a command, or a default that is described in words; "" for none."""
    if value is None or value == "":
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if " " in text else f"`{text}`"
