"""A tagged statement taken away: each way to do so, as a whole new source.

A mutant goes on running without the rule. One that only breaks everything would prove nothing, so what refuses is never
turned into what always refuses.
"""

import ast
from collections.abc import Iterator

from tests.standards.citations import Item


def mutants(source: str, node: ast.AST) -> Iterator[str]:
    """The source without what `node` does, the likeliest way first. None of them is equal to the source."""
    for replacement, target in _replacements(node):
        mutant = _replaced(source, target, replacement)
        if mutant != source:
            yield mutant


def _replacements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.If(test=test, body=[*_, ast.Raise()]):
            yield "False", test
        case ast.If(test=ast.Compare(ops=[ast.Eq() | ast.NotIn()]) as test):
            # What is let in by being alike: without the rule, everything is.
            yield "True", test
            yield "False", test
        case ast.If(test=test):
            yield "False", test
            yield "True", test
        case ast.While(test=test):
            yield "False", test
        case ast.For(iter=iterated):
            yield "()", iterated
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
        case Item(value=value):
            yield "**{}", node
            yield from _values(value)
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            yield from _values(node)
        case ast.Constant():
            yield from _values(node)
            yield "*()", node
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
        case ast.Constant(value=str()) | ast.JoinedStr():
            yield '"x"', node
        case ast.ListComp(generators=[loop]) | ast.SetComp(generators=[loop]) | ast.DictComp(generators=[loop]):
            # Without its conditions; without any, what it goes through, as it is.
            yield from (("True", condition) for condition in loop.ifs)
            yield ast.unparse(loop.iter), node
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
            # Nothing at all comes last: it may break more than the rule.
            yield from ((text, node) for text in sorted(map(ast.unparse, (body, otherwise)), key="None".__eq__))
        case ast.BinOp(left=left, right=right):
            yield ast.unparse(left), node
            yield ast.unparse(right), node
        case ast.Call(func=ast.Attribute(attr="compile"), args=[ast.Constant(value=bytes()), *_]):
            yield 're.compile(rb"(?s)(.*)")', node
        case ast.Call(func=ast.Attribute(attr="compile"), args=[ast.Constant(value=str()), *_]):
            yield 're.compile(r"(?s)(.*)")', node
        case ast.Subscript(value=ast.Call(func=ast.Attribute(value=called))):
            yield ast.unparse(called), node
        case ast.Call(args=[ast.IfExp() as inner, *_]):
            yield from _values(inner)
        case ast.Call(func=called, args=arguments):
            taken = [called.value] if isinstance(called, ast.Attribute) else []
            yield from ((ast.unparse(inner), node) for inner in (*taken, *arguments[:1]))
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
