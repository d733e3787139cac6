"""What a template may do: print values, choose by them. All else is refused before anything runs.

Templates are edited by people, so their text is hostile here. Imports jinja2: only for functions that render.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

from notifications.filters import ARGUMENTS
from notifications.template import BadTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Environment

KNOWN, PRINTED = "known", "printed"
LONGEST = 4000
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If),
    *(nodes.Name, nodes.Getattr, nodes.Const, nodes.Filter),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
)
# Values are JSON: amounts and instants are text, and < would compare them letter by letter.
_COMPARISONS = ("eq", "ne")
_DEEPEST = 30


def checked(source: str, environment: Environment) -> nodes.Template:
    """The template's tree. Raises `BadTemplate` where it is none, or does what none may."""
    if len(source) > LONGEST:
        raise BadTemplate(1, f"a template has at most {LONGEST} letters")
    try:
        tree = environment.parse(source)
    except TemplateSyntaxError as error:
        raise BadTemplate(error.lineno, error.message or "this is not a template") from error
    except RecursionError as error:
        raise BadTemplate(1, "nested too deeply") from error
    _check(tree, 0)
    return tree


def names(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    """Every value that a template names, with its line."""
    for node in tree.find_all((nodes.Getattr, nodes.Name)):
        yield node.lineno, _name(node)


def guarded(tree: nodes.Template) -> nodes.Template:
    """The tree with a guard around every name and everything printed, so that a failure says what failed."""
    _Guards().visit(tree)
    return tree


def _check(node: nodes.Node, depth: int) -> None:
    why = "nested too deeply" if depth > _DEEPEST else _objection(node)
    if why:
        raise BadTemplate(node.lineno, why)
    for child in node.iter_child_nodes():
        _check(child, depth + 1)


def _objection(node: nodes.Node) -> str | None:
    why = None
    match node:
        case nodes.Filter():
            why = _objection_to_filter(node)
        case nodes.Operand() if node.op not in _COMPARISONS:
            why = "values are compared with == and != only"
        case nodes.Const() if not isinstance(node.value, str | int | None):
            why = "a constant is text or a whole number"
        case nodes.Getattr() if not isinstance(node.node, nodes.Getattr | nodes.Name):
            why = "only values have members"
        case nodes.Name() if node.name == "self":
            why = "self is no value"
        case _ if not isinstance(node, _ALLOWED):
            why = f"{type(node).__name__.lower()} is not among what a template may do"
    return why


def _objection_to_filter(node: nodes.Filter) -> str | None:
    taken = ARGUMENTS.get(node.name)
    if taken is None or node.node is None:
        return f"there is no filter {node.name}"
    if len(node.args) != taken or node.kwargs or node.dyn_args or node.dyn_kwargs:
        return f"the filter {node.name} takes other arguments"
    return None


def _name(node: nodes.Node) -> str:
    """`visit.slot_start` for a value; of anything else the first value in it."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{_name(node.node)}.{node.attr}"
    return next((_name(child) for child in node.iter_child_nodes()), "a constant")


class _Guards(NodeTransformer):
    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802  (jinja2 calls visitors so)
        return _with(node, KNOWN, _name(node))

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802
        return _with(node, KNOWN, _name(node))

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        name = nodes.Const(_name(node))
        self.generic_visit(node)
        node.args.append(name)
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802
        named = [_name(child) for child in node.nodes]
        self.generic_visit(node)
        node.nodes = [
            child if isinstance(child, nodes.TemplateData) else _with(child, PRINTED, name)
            for child, name in zip(node.nodes, named, strict=True)
        ]
        return node


def _with(node: nodes.Expr, guard: str, name: str) -> nodes.Filter:
    return nodes.Filter(node, guard, [nodes.Const(name)], [], None, None, lineno=node.lineno)
