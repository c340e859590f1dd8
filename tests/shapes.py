"""The shape checks of the test run: jaxtyping's, for every kind of call that occurs.

jaxtyping binds the arguments anew and compares every axis at every call, which took a quarter of the time of tests that
train. Its verdict follows from the types of what goes in and comes out, from the shapes and dtypes of arrays, and from
the numbers and words that an axis may be named by. A call that agrees in all of these with one that passed is not
checked a second time.
"""

import functools
import inspect
import re
from collections.abc import Hashable
from types import FunctionType, NoneType
from typing import Any

import jaxtyping
import numpy as np
from torch import Tensor, nn

_exactly = jaxtyping.jaxtyped
_ARRAYS, _OTHER_ARRAYS = {Tensor, nn.Parameter, np.ndarray}, (Tensor, np.ndarray)  # the others are subclasses
_WRITTEN_IN_AXES = {bool, int, str, NoneType}
_SEQUENCES, _CHECKED_BY_CONTENT = (tuple, list), (dict, set, frozenset)
_BY_CLASS: set[type] = set()  # all others that were met
_COMPUTED_AXIS = re.compile(r"\{\w*[^\w}]")  # such as {self.size}: more than the name of an argument


class _NoKey(Exception):
    """Of a value that is checked by its content."""


def kind_or_none(value: object) -> Hashable:
    """The kind of a value, or None where it has to be checked anew."""
    try:
        return kind(value)
    except _NoKey:
        return None


def kind(value: object) -> Hashable:
    """All of a value that a verdict can depend on; raises _NoKey where that is its content.

    >>> kind(np.zeros((2, 3))) == kind(np.ones((2, 3)))
    True
    >>> kind(True) == kind(1)
    False
    """
    cls = type(value)
    if cls in _ARRAYS:
        return cls, value.dtype, value.shape  # type: ignore[attr-defined]
    if cls in _WRITTEN_IN_AXES:
        return cls, value
    if cls in _BY_CLASS:
        return cls
    if issubclass(cls, _OTHER_ARRAYS):
        return cls, value.dtype, value.shape  # type: ignore[attr-defined]
    if issubclass(cls, np.generic):
        return cls, value.item()  # type: ignore[attr-defined]
    if issubclass(cls, _SEQUENCES):
        return (cls, *map(kind, value))  # type: ignore[call-overload]
    if issubclass(cls, _CHECKED_BY_CONTENT) or hasattr(cls, "__next__"):
        raise _NoKey
    _BY_CLASS.add(cls)
    return cls


def remembering(fn: Any = None, *, typechecker: Any) -> Any:
    """jaxtyping's decorator `jaxtyped`, which checks each kind of call once."""
    if fn is None:
        return functools.partial(remembering, typechecker=typechecker)
    check = functools.partial(_exactly, typechecker=typechecker)
    if not inspect.isfunction(fn) or inspect.isgeneratorfunction(fn):
        return check(fn)
    if _COMPUTED_AXIS.search(" ".join(map(str, fn.__annotations__.values()))):
        return check(fn)
    checked, results = check(fn), [None]
    recheck = functools.cache(lambda: check(_giving(fn, results)))
    passed: dict[Hashable, set[Hashable]] = {}  # kinds of arguments, and of the results that came of them

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        arguments = kind_or_none((args, *kwargs.items()))
        before = passed.get(arguments)
        result = checked(*args, **kwargs) if before is None else fn(*args, **kwargs)
        found = kind_or_none(result)
        if before is None:
            if arguments is not None:
                passed[arguments] = {found}
        elif found is None or found not in before:
            results[0] = result
            recheck()(*args, **kwargs)
            before.add(found)
        return result

    return call


def _giving(fn: Any, results: list[Any]) -> Any:
    """A function of the signature of `fn`, and of its module's names, that gives the result in the list."""

    def give(*args: Any, **kwargs: Any) -> Any:
        return results[0]

    copy = FunctionType(give.__code__, fn.__globals__, fn.__name__, None, give.__closure__)
    return functools.update_wrapper(copy, fn)


def check_shapes(modules: list[str]) -> None:
    """Check the annotated functions of modules that are imported after this, as beartype does."""
    jaxtyping.jaxtyped = remembering
    jaxtyping.install_import_hook(modules, "beartype.beartype")
