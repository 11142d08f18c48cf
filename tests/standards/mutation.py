"""A tagged statement taken away: each way to do so, as a whole new source."""

import ast
from collections.abc import Iterator


def mutants(source: str, node: ast.AST) -> Iterator[str]:
    """The source without what `node` does, the likeliest way first. None of them is equal to the source."""
    for replacement, target in _replacements(node):
        yield _replaced(source, target, replacement)


def _replacements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.If(test=test):
            yield "False", test
            yield "True", test
        case ast.While(test=test):
            yield "False", test
        case ast.For(iter=iterated):
            yield "()", iterated
        case ast.Return(value=ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) as value):
            yield "True", value
            yield "False", value
        case ast.Return(value=value) if value is not None:
            yield from _values(value)
            yield "return None", node
        case ast.Raise() | ast.Expr() | ast.Delete() | ast.Assert():
            yield "pass", node
        case ast.Assign(value=value) | ast.AugAssign(value=value):
            yield from _values(value)
        case ast.AnnAssign(value=value) if value is not None:
            yield from _values(value)
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
            yield "return None", body[-1]
        case ast.keyword(value=value):
            yield from _values(value)
        case ast.expr():
            yield "*()", node
            yield from _values(node)


def _values(node: ast.expr) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Constant(value=bool(value)):
            yield str(not value), node
        case ast.Constant(value=int(value)):
            yield str(value * 1000 + 1), node
            yield "0", node
        case ast.Constant(value=bytes()):
            yield 'b"x"', node
        case ast.Constant(value=str()):
            yield '"x"', node
        case ast.Tuple() | ast.List():
            yield "()", node
        case ast.Dict():
            yield "{}", node
        case ast.Set():
            yield "set()", node
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            yield "True", node
            yield "False", node
        case ast.IfExp(body=body, orelse=otherwise):
            yield ast.unparse(body), node
            yield ast.unparse(otherwise), node
        case ast.BinOp(left=left, right=right):
            yield ast.unparse(left), node
            yield ast.unparse(right), node
        case ast.Call(func=ast.Attribute(attr="compile"), args=[ast.Constant(value=bytes()), *_]):
            yield 're.compile(rb"(?s)(.*)")', node
        case ast.Call(func=ast.Attribute(attr="compile"), args=[ast.Constant(value=str()), *_]):
            yield 're.compile(r"(?s)(.*)")', node
        case ast.Call(args=[inner, *_]):
            yield ast.unparse(inner), node
            yield "None", node
        case _:
            yield "None", node


def _replaced(source: str, node: ast.AST, text: str) -> str:
    """`text` in place of `node`. The tree counts in bytes of UTF-8."""
    lines = source.encode().splitlines(keepends=True)
    assert isinstance(node, ast.expr | ast.stmt)
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = b"".join(lines[:first]) + lines[first][: node.col_offset]
    after = lines[last][node.end_col_offset or 0 :] + b"".join(lines[last + 1 :])
    return (before + text.encode() + after).decode()
