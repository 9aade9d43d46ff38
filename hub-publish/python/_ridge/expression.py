"""Integer expressions of `kernel.json`, checked before anything is evaluated."""

import ast


def div(a, b):
    """`a / b`, truncated towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a >= 0) == (b >= 0) else -quotient


def rem(a, b):
    """What `div` leaves, with the sign of `a`."""
    return a - b * div(a, b)


def ceil_div(a, b):
    """`a / b` rounded up; `b` is positive."""
    return -(-a // b)


def align_up(a, b):
    """The least multiple of `b` that is at least `a`; `b` is positive."""
    return ceil_div(a, b) * b


def is_power_of_two(a):
    """Whether `a` is 1, 2, 4, …"""
    return int(a > 0 and a & (a - 1) == 0)


def truth(a):
    """1 where a condition holds, else 0."""
    return int(bool(a))


FUNCTIONS = {
    "div": div,
    "rem": rem,
    "ceil_div": ceil_div,
    "align_up": align_up,
    "is_power_of_two": is_power_of_two,
    "truth": truth,
    "min": min,
    "max": max,
}

_GLOBALS = {"__builtins__": {}, **FUNCTIONS}

_NODES = (
    ast.Expression,
    ast.BinOp,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.UnaryOp,
    ast.USub,
    ast.Not,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.Compare,
    ast.Lt,
    ast.LtE,
    ast.Eq,
    ast.NotEq,
    ast.GtE,
    ast.Gt,
    ast.Load,
)


class Expression:
    """An expression over the names of axes."""

    __slots__ = ("_code", "constant", "names", "text")

    def __init__(self, text, axes):
        """text: as in the file; axes: the names it may use.

        Raises ValueError for anything but the operations that the format lists.
        """
        try:
            tree = ast.parse(text, mode="eval")
        except SyntaxError as error:
            raise ValueError(f"`{text}` is not an expression") from error
        self.text = text
        self.names = frozenset(_check(tree, text, axes))
        self._code = compile(tree, "<kernel.json>", "eval")
        self.constant = None
        if not self.names:
            self.constant = int(self({}))

    def __call__(self, extents):
        """Its value for the extents of axes, a mapping.

        Raises ZeroDivisionError as the division does.
        """
        if self.constant is not None:
            return self.constant
        return eval(self._code, _GLOBALS, extents)


def _check(tree, text, axes):
    """The names used by an expression; ValueError for what it may not hold."""
    called = set()
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            known = isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
            if not known or node.keywords or not node.args:
                raise ValueError(f"`{text}` calls what is not a function of this format")
            called.add(node.func)
        elif isinstance(node, ast.Constant):
            if type(node.value) is not int:
                raise ValueError(f"`{text}` has a constant that is not an integer")
        elif isinstance(node, ast.Name):
            names.append(node)
        elif not isinstance(node, _NODES):
            raise ValueError(f"`{text}` has `{type(node).__name__}`, which this format lacks")
    names = {name.id for name in names if name not in called}
    unknown = sorted(names - set(axes))
    if unknown:
        raise ValueError(f"`{text}` uses `{unknown[0]}`, which is not an axis")
    return names
