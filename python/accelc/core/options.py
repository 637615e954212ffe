"""The options of passes as text: ``max-ops=8 dims=batch:8,seq:128 name="with space"``.

A pass is a dataclass, and its fields are its options. Fields may be `bool`, `int`, `float`, `str`, a `Literal`, a
`tuple[T, ...]`, a `Mapping[str, T]`, or any of these or `None`. Fields of other types (a machine description, say)
can only be given from Python; they must have a default for the pass to be usable from text.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from accelc.core.diagnostics import UsageError

_SPECIAL = set(" \t\n{}()\"'=,:;")

T = TypeVar("T")


class NotText(Exception):
    """The value or type has no textual form."""


def format_options(instance: Any) -> str:
    """The fields of ``instance`` that differ from their defaults, as text (without braces).

    Raises NotText if one of them has no textual form.
    """
    parts = []
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if not _is_default(field, value):
            parts.append(f"{_kebab(field.name)}={_format(value)}")
    return " ".join(parts)


def parse_options(cls: type[T], text: str, what: str) -> T:
    """An instance of dataclass ``cls`` from text. ``what`` names it in errors, e.g. ``pass 'nn-fuse'``."""
    fields = {_kebab(f.name): f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    known = ", ".join(sorted(fields)) or "it has none"
    values: dict[str, Any] = {}
    for item in split(text, " "):
        name, equals, value = item.partition("=")
        field = fields.get(name)
        if field is None:
            raise UsageError(f"{what} has no option '{name}'", notes=(f"options: {known}",))
        hint = hints[field.name]
        if not equals:
            if hint is not bool:
                raise UsageError(f"option '{name}' of {what} needs a value")
            value = "true"
        try:
            values[field.name] = _parse(hint, value)
        except NotText:
            raise UsageError(f"option '{name}' of {what} cannot be given as text") from None
        except ValueError as error:
            raise UsageError(f"option '{name}' of {what}: {error}, not '{value}'") from None
    missing = [n for n, f in fields.items() if f.name not in values and not _has_default(f)]
    if missing:
        raise UsageError(f"{what} needs the option '{missing[0]}'", notes=(f"options: {known}",))
    return cls(**values)


def describe_options(cls: type[Any]) -> list[tuple[str, str, str]]:
    """(name, type, default) of each option, for ``--list-passes``."""
    hints = typing.get_type_hints(cls)
    rows = []
    for field in dataclasses.fields(cls):
        default = _default(field) if _has_default(field) else None
        try:
            shown = _format(default) if _has_default(field) else "required"
        except NotText:
            shown = type(default).__name__
        hint = hints[field.name]
        rows.append(
            (_kebab(field.name), getattr(hint, "__name__", None) if isinstance(hint, type) else str(hint), shown)
        )
    return [(name, (kind or "").replace("typing.", "").replace("collections.abc.", ""), d) for name, kind, d in rows]


def split(text: str, separator: str) -> list[str]:
    """Splits at ``separator`` outside of quotes, braces, brackets and parentheses; drops empty parts.

    Raises ValueError when these do not match up.
    """
    parts, start, depth, i = [], 0, [], 0
    closing = {"(": ")", "{": "}", "[": "]"}
    while i < len(text):
        c = text[i]
        if c == '"':
            i = _end_of_string(text, i)
        elif c in closing:
            depth.append(closing[c])
        elif c in ")}]":
            if not depth or depth.pop() != c:
                raise ValueError(f"unexpected '{c}' at column {i + 1}")
        elif c == separator and not depth:
            parts.append(text[start:i])
            start = i + 1
        i += 1
    if depth:
        raise ValueError(f"missing '{depth[-1]}' at the end")
    parts.append(text[start:])
    return [p.strip() for p in parts if p.strip()]


def _end_of_string(text: str, start: int) -> int:
    i = start + 1
    while i < len(text) and text[i] != '"':
        i += 2 if text[i] == "\\" else 1
    if i >= len(text):
        raise ValueError(f"the string that starts at column {start + 1} does not end")
    return i


def _kebab(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _has_default(field: Any) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _default(field: Any) -> Any:
    return field.default if field.default is not dataclasses.MISSING else field.default_factory()


def _is_default(field: Any, value: Any) -> bool:
    return _has_default(field) and bool(_default(field) == value)


def _format(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        plain = value and value != "none" and not _SPECIAL & set(value)
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, (tuple, list, frozenset, set)):
        items = [_format(v) for v in (value if isinstance(value, (tuple, list)) else sorted(value))]
        return ",".join(items) or "{}"
    if isinstance(value, Mapping):
        return ",".join(f"{_format(k)}:{_format(v)}" for k, v in value.items()) or "{}"
    raise NotText


def _parse(hint: Any, text: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _parse_union(args, text)
    if origin is Literal:
        return _parse_literal(args, text)
    if origin in (tuple, frozenset) and (origin is frozenset or (len(args) == 2 and args[1] is Ellipsis)):
        return origin(_parse(args[0], item) for item in _items(text))
    if origin in (dict, Mapping):
        return {_parse(args[0], k): _parse(args[1], v) for k, v in map(_pair, _items(text))}
    return _parse_scalar(hint, text)


def _parse_union(args: tuple[Any, ...], text: str) -> Any:
    if type(None) in args and text == "none":
        return None
    error: Exception = NotText()
    for arg in args:
        if arg is type(None):
            continue
        try:
            return _parse(arg, text)
        except (ValueError, NotText) as failed:
            error = failed
    raise error


def _parse_literal(args: tuple[Any, ...], text: str) -> Any:
    for arg in args:
        if _unquote(text) == str(arg):
            return arg
    raise ValueError(f"expected one of {', '.join(map(str, args))}")


def _parse_scalar(hint: Any, text: str) -> Any:
    if hint is bool:
        if text not in ("true", "false", "1", "0"):
            raise ValueError("expected true or false")
        return text in ("true", "1")
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            raise ValueError(f"expected {'a whole number' if hint is int else 'a number'}") from None
    if hint is str:
        return _unquote(text)
    raise NotText


def _items(text: str) -> list[str]:
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    return split(text, ",")


def _pair(text: str) -> tuple[str, str]:
    parts = split(text, ":")
    if len(parts) != 2:
        raise ValueError("expected name:value")
    return parts[0], parts[1]


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        value = json.loads(text)
        assert isinstance(value, str)
        return value
    return text
