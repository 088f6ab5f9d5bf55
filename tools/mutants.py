"""Wrong answers made from a right one: a check has to refuse every one of them.

Values are made empty, constant, and off by one; predictions get every other choice; functions
remember their first result, echo their arguments, raise, return nothing, or return what such a
change makes of the right result.
"""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from changes import changes, same

__all__ = ["Mutant", "Recorder", "mutants"]

_MANY = 100_000  # where a generator that never ends is cut


@dataclass(frozen=True)
class Mutant:
    """A wrong answer; `is_right()` tells, after its check, whether it never gave a wrong result."""

    name: str
    answer: Any
    is_right: Callable[[], bool] = lambda: False


class Recorder:
    """A right function that keeps copies of what it returns, for mutants to be made of."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.results: list[Any] = []
        self.answer = _like(function, self._call)
        self._function = function

    def _call(self, *arguments: Any, **options: Any) -> Any:
        result = _settled(self._function(*arguments, **options))
        self.results.append(_copy(result))
        return _as_returned(result)


def mutants(answer: Any, results: list[Any] | None = None) -> Iterator[Mutant]:
    """Yield the mutants of an answer; of a function, also those of results that it gave."""
    if hasattr(answer, "choose") and hasattr(answer, "options"):
        yield from _other_choices(answer)
    elif callable(answer):
        yield from _functions(answer, results or [])
    else:
        for name, value in changes(answer):
            yield Mutant(name, value, functools.partial(same, value, answer))


def _other_choices(answer: Any) -> Iterator[Mutant]:
    for option in answer.options:
        if option != answer.value:
            other = type(answer)(answer.number, answer.question, answer.options)
            yield Mutant(f"choice {option}", other.choose(option))


def _functions(answer: Callable[..., Any], results: list[Any]) -> Iterator[Mutant]:
    yield Mutant("remembers its first result", _like(answer, _first_result(answer)))
    yield Mutant("returns nothing", _like(answer, lambda *_, **__: None))
    yield Mutant("raises", _like(answer, _raise))
    for at, name in enumerate(_parameters(answer)):
        yield Mutant(f"echoes {name}", _like(answer, functools.partial(_echo, answer, at)))
    for name in dict.fromkeys(name for result in results for name, _ in changes(result)):
        wrong: list[bool] = []
        function = functools.partial(_change_result, answer, name, wrong)
        yield Mutant(f"result {name}", _like(answer, function), functools.partial(_never, wrong))


def _first_result(function: Callable[..., Any]) -> Callable[..., Any]:
    kept: list[Any] = []

    def call(*arguments: Any, **options: Any) -> Any:
        if not kept:
            kept.append(_settled(function(*arguments, **options)))
        return _as_returned(_copy(kept[0]))

    return call


def _change_result(
    function: Callable[..., Any], name: str, wrong: list[bool], *arguments: Any, **options: Any
) -> Any:
    """Call the right function, and give back what the change of that name makes of its result."""
    result = _settled(function(*arguments, **options))
    known = dict(changes(result))
    wrong.append(name in known)
    return _as_returned(known.get(name, result))


def _never(wrong: list[bool]) -> bool:
    return bool(wrong) and not any(wrong)


def _raise(*_: Any, **__: Any) -> Any:
    raise RuntimeError("this mutant always raises")


def _echo(function: Callable[..., Any], at: int, *arguments: Any, **options: Any) -> Any:
    bound = inspect.signature(function).bind(*arguments, **options)
    bound.apply_defaults()
    return list(bound.arguments.values())[at]


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # written in C
        return []


def _like(function: Callable[..., Any], body: Callable[..., Any]) -> Callable[..., Any]:
    """Return a plain function that looks like the right one; its source is not the right one's."""

    def mutant(*arguments: Any, **options: Any) -> Any:
        return body(*arguments, **options)

    functools.update_wrapper(mutant, function)
    del mutant.__dict__["__wrapped__"]
    if _parameters(function):
        mutant.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return mutant


class _Once(list[Any]):
    """What a generator gave, to be handed on as an iterator."""


def _settled(result: Any) -> Any:
    return _Once(itertools.islice(result, _MANY)) if isinstance(result, Iterator) else result


def _as_returned(result: Any) -> Any:
    return iter(result) if isinstance(result, _Once) else result


def _copy(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # messages of the client, locks: they are not changed by anybody
        return value
