"""Settings as people write them: YAML and KEY=VALUE; and what is wrong with them, in words.

What the settings are is said elsewhere (:mod:`lead.config`): here they are any tree of :class:`Section`.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from lead.errors import LeadError

LINE = 80
"""Characters of a text, and half those of any value, that an error shows."""
NULLS = ("null", "Null", "NULL", "~")
"""How YAML writes that there is no value; it also reads nothing at all so."""


class Section(BaseModel):
    """A group of settings: unknown keys are errors, values do not change after they are checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """YAML reads yes and on as true, which Python takes for 1."""
        parts = value if isinstance(value, list | tuple) else [value]
        of_truth = info.field_name is not None and cls.model_fields[info.field_name].annotation is bool
        if not of_truth and any(isinstance(part, bool) for part in parts):
            raise Mistyped
        return value


class Mistyped(ValueError):
    """Of a value of another type than its setting's, where pydantic would take it."""


Tree = TypeVar("Tree", bound=Section)


class _Loader(yaml.SafeLoader):
    """Refuses a name that is given twice, of which YAML would take the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else key)
        return node


def _from_yaml(text: str) -> Any:
    """What a YAML text holds. Raises :class:`ValueError`, which says why, if it is none."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, TypeError) as error:
        # PyYAML stumbles over a date that is none, a number of too many digits, or a tag that does not fit.
        raise ValueError(str(error) if isinstance(error, yaml.YAMLError | ValueError) else repr(error)) from None


def parse(text: str, where: str) -> dict[str, Any]:
    """The groups of settings in a YAML text. ``where`` names its origin in errors."""
    try:
        tree = _from_yaml(text)
    except ValueError as error:
        raise LeadError(f"{where} is not valid YAML: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise LeadError(f"{where} must hold settings by name, for example 'seed: 1'; not {_short(tree)}.")
    return tree


def checked(root: type[Tree], tree: Mapping[str, Any], where: str) -> Tree:
    """Plain values as the settings that they are.

    Args:
        root: the class of all the settings.
        tree: plain values.
        where: names their origin in errors.

    Raises:
        LeadError: for each unknown key or wrong value, a line that says what would do.
    """
    try:
        return root.model_validate(tree)
    except ValidationError as error:
        found = error.errors()
        wrong = {(e["loc"][: len(_known(root, e["loc"])[0]) or 1], e["type"] == "value_error"): e for e in found}
        raise LeadError("\n".join(_explain(root, where, tree, dict(e)) for e in wrong.values())) from None
    except RecursionError:
        raise LeadError(f"{where}: its settings are nested too deeply.") from None


def _short(value: object) -> str:
    """A value for an error: whole if it is of ordinary length; it may be of any, or hold itself."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = LINE
    brief.maxlevel = 3
    text = brief.repr(value)
    return text if len(text) <= 2 * LINE else f"{text[: 2 * LINE]}…"


def _name(keys: Sequence[object]) -> str:
    """A dotted key; a part that could not be written so, as Python writes it."""
    return ".".join(key if isinstance(key, str) and key.isprintable() and key else _short(key) for key in keys)


def _known(root: type[Section], location: Sequence[object]) -> tuple[list[str], FieldInfo | None]:
    """How far a place in a tree of settings leads along their names, and the last of these settings."""
    section: Any = root
    path: list[str] = []
    field = None
    for part in location:
        if not (isinstance(section, type) and issubclass(section, Section) and part in section.model_fields):
            break
        path.append(str(part))
        field = section.model_fields[str(part)]
        section = field.annotation
    return path, field


def _value(tree: Any, location: Sequence[object]) -> Any:
    """What stands at a place in a tree; keys that are no text are named by pydantic as if they were."""
    for part in location:
        tree = next(value for key, value in tree.items() if part in (key, str(key)))
    return tree


def _explain(root: type[Section], where: str, tree: Mapping[str, Any], error: dict[str, Any]) -> str:
    """One mistake: where, the key, its value, and what would do."""
    path, field = _known(root, error["loc"])
    if error["type"] in {"extra_forbidden", "invalid_key"}:
        return f"{where}: {_unknown_setting(root, error['loc'], _value(tree, error['loc']))}"
    value = _value(tree, path)
    own = error.get("ctx", {}).get("error")
    key = _name(path) or "its settings"
    said = "" if own is not None and isinstance(value, Mapping) else f" = {_short(value)}"
    if own is not None and not isinstance(own, Mistyped):
        return f"{where}: {key}{said}: {own}."
    wanted = _wanted(field.annotation, field.metadata) if field else "a group of settings"
    if error["type"] == "finite_number":
        wanted = wanted.replace("a number", "a finite number")
    near = difflib.get_close_matches(value, map(str, _choices(field)), n=1) if isinstance(value, str) else []
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{where}: {key}{said}: must be {wanted}.{hint}"


def _unknown_setting(root: type[Section], location: Sequence[object], value: object) -> str:
    key = _name(location)
    keys = [k for k, _ in describe(root)]
    valid = list(dict.fromkeys(part for k in keys for part in (*_groups(k), k)))
    near = difflib.get_close_matches(key, valid, n=1)
    parent = key.rpartition(".")[0]
    siblings = [k for k in valid if k.rpartition(".")[0] == parent]
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"unknown setting {key} = {_short(value)}.{hint} Valid here: {', '.join(siblings)}."


def _groups(key: str) -> list[str]:
    """The groups that a key is in, the largest first."""
    parts = key.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _choices(field: FieldInfo | None) -> tuple[Any, ...]:
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()


def _wanted(kind: Any, metadata: Iterable[object]) -> str:
    """What a setting of a type may be, in words."""
    args = get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Section):
        first = next(iter(kind.model_fields))
        return f"a group of settings, {first} and others, each with its value"
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, args))}" if len(args) > 1 else str(args[0])
    if get_origin(kind) is Annotated:
        return _wanted(args[0], args[1].metadata)
    if get_origin(kind) is tuple:
        return f"{len(args)} values in brackets, each {_wanted(args[0], ())}"
    if NoneType in args:
        return f"{_wanted(args[0], metadata)}, or null"
    if get_origin(kind) in (Union, UnionType):
        return ", or ".join(_wanted(arg, ()) for arg in args)
    words = {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "text")
    bounds = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = [f"{bounds[b]} {getattr(m, b)}" for m in metadata for b in bounds if getattr(m, b, None) is not None]
    return ", ".join([words, *limits])


def assign(tree: dict[str, Any], assignment: str) -> None:
    key, equals, text = assignment.partition("=")
    key = key.strip()
    if not equals or not all(key.split(".")):
        raise LeadError(
            f"A setting is written KEY=VALUE, for example seed=1 or distill.steps=500; not {_short(assignment)}."
        )
    try:
        value = _from_yaml(text)
    except ValueError as error:
        raise LeadError(
            f"{_short(assignment)}: {_short(text)} is not a valid value, for lack of quotes or a closing bracket, say: "
            f"{error}"
        ) from None
    if value is None and text.strip() not in NULLS:
        raise LeadError(
            f"{_short(assignment)}: a value is missing after the equals sign. Write {key}=VALUE, or {key}=null if the "
            "setting may be none."
        )
    set_value(tree, key, value)
    if key.endswith(".epochs"):  # asked for in passes, so a preset's number of steps no longer holds
        set_value(tree, key.removesuffix("epochs") + "steps", None)


def set_value(tree: dict[str, Any], key: str, value: object) -> None:
    """Sets a dotted key in a tree of plain values. Raises :class:`LeadError` where a parent is not a group."""
    *parents, last = key.split(".")
    node = tree
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise LeadError(f"{key}={_short(value)}: {parent} is {_short(child)} there, not a group of settings.")
        node = child
    node[last] = value


def describe(section: type[Section], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting's dotted key and what it means, in order."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from describe(kind, f"{prefix}{name}.")
        else:
            choices = f" One of {', '.join(map(str, get_args(kind)))}." if get_origin(kind) is Literal else ""
            yield f"{prefix}{name}", f"{field.description}{choices}"
