"""Arithmetic as people and models write it → a number, within bounds that make every expression cheap."""

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Final, TypeAlias

from longline_agent_tools.errors import BadExpressionError

Number: TypeAlias = int | float

LONGEST_EXPRESSION: Final = 1000
_DEEPEST: Final = 150
# 1233 digits: far below the 4300 at which Python refuses to print an integer.
_MOST_BITS: Final = 4096
_MOST_DIGITS: Final = 300

# Numbers, names, operators: nothing else reaches Python's parser. A number ends before a letter, where that would warn.
_TOKENS: Final = re.compile(
    r"(?: |(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+(?![\w.])|[a-z]++(?!\w)|[-+*/%(),])++"
)
_AS_PYTHON: Final = str.maketrans({"^": "**", "×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})  # noqa: RUF001  # as typed
_CONSTANTS: Final = {"pi": math.pi, "e": math.e}


def parse_expression(text: str) -> ast.expr:
    """The expression as a tree, not yet looked at. `^` is a power. Raises BadExpressionError for what is not one."""
    if len(text) > LONGEST_EXPRESSION:
        raise BadExpressionError(text, f"it is longer than {LONGEST_EXPRESSION} characters")
    expression = " ".join(text.split()).translate(_AS_PYTHON)
    try:
        if _TOKENS.fullmatch(expression):
            return ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        pass  # said below, for every kind of text that is no expression
    raise BadExpressionError(text, "it is not an arithmetic expression")


def evaluate(text: str) -> Number:
    """The value: integers exactly, everything else as Python's floats. Raises BadExpressionError for anything but
    numbers, + - * / // % ** (or ^), parentheses, abs, min, max, round, sqrt, pi and e, and for values beyond bounds."""
    tree = parse_expression(text)
    try:
        return _checked(_value(tree, _DEEPEST))
    except ZeroDivisionError:
        raise BadExpressionError(text, "division by zero") from None
    except OverflowError:
        raise BadExpressionError(text, "a value is too large") from None


def _value(node: ast.expr, depth: int) -> Number:
    if depth == 0:
        raise BadExpressionError("…", f"it is nested deeper than {_DEEPEST} levels")
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _checked(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return +_value(operand, depth - 1)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, depth - 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _checked(_OPERATORS[type(op)](_value(left, depth - 1), _value(right, depth - 1)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _call(name, [_value(argument, depth - 1) for argument in arguments])
    raise BadExpressionError(ast.unparse(node), f"only numbers, + - * / // % **, {_NAMES} are known")


def _call(name: str, arguments: list[Number]) -> Number:
    try:
        return _checked(_FUNCTIONS[name](*arguments))
    except (TypeError, ValueError):
        shown = ", ".join(map(str, arguments))
        raise BadExpressionError(f"{name}({shown})", "it cannot take these arguments") from None


def _checked(value: object) -> Number:
    """The value if it is within bounds. A fractional power of a negative number is complex, which is not."""
    if isinstance(value, int):
        if value.bit_length() > _MOST_BITS:
            raise OverflowError
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise OverflowError
        return value
    raise BadExpressionError(str(value), "that is not a real number")


def _power(base: Number, exponent: Number) -> object:
    """Checked before it is computed: the size of an integer's power is known in advance."""
    is_exact = isinstance(base, int) and isinstance(exponent, int) and exponent > 0
    if is_exact and abs(base) > 1 and (int(base).bit_length() - 1) * exponent > _MOST_BITS:
        raise OverflowError
    return base**exponent


def _round(value: Number, digits: Number = 0) -> Number:
    if not isinstance(digits, int) or abs(digits) > _MOST_DIGITS:
        raise ValueError
    return round(value, digits) if digits else round(value)


def _root(value: Number) -> float:
    return math.sqrt(value)


_OPERATORS: Final[dict[type[ast.operator], Callable[[Number, Number], object]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_FUNCTIONS: Final[dict[str, Callable[..., Number]]] = {
    "abs": abs,
    "max": max,
    "min": min,
    "round": _round,
    "sqrt": _root,
}
_NAMES: Final = ", ".join((*_FUNCTIONS, *_CONSTANTS))
