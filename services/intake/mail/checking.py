"""Whether a wording that somebody wrote may be sent: a template that can only show what messages may say, and says what its kind is for.

Templates run in our process, so what they may contain is a closed list: words, values, and ``if``. No loops, no attributes, no filters.
"""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from services.intake.sending import KINDS

VALUES: Final = frozenset({"number", "text", "link", "expires_on", "status", "reason", "is_survey", "into", "closes_on", "organisation"})
"""What a wording may show or ask about."""
CALLS: Final = frozenset({"button", "large"})
MAX_WORDING: Final = 4_000

_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Call,
)


def faults(kind: str, wording: str) -> list[str]:
    """What is wrong with a wording for that kind; nothing, if it may be sent."""
    try:
        tree = Environment(autoescape=True).parse(wording)
    except TemplateSyntaxError as error:
        return [f"line {error.lineno}: {error.message}"]
    callees = {id(call.node) for call in tree.find_all(nodes.Call)}
    found = [fault for node in tree.find_all(nodes.Node) if id(node) not in callees and (fault := _fault(node)) is not None]
    used = {name.name for name in tree.find_all(nodes.Name)}
    _, _, body = wording.strip().partition("\n")
    if not body.strip():
        found.append("the first line is the subject; the message below it is missing")
    return list(dict.fromkeys(found + _missing(kind, used)))


def _fault(node: nodes.Node) -> str | None:
    match node:
        case nodes.Call():
            return None if _is_ours(node) else f"line {node.lineno}: this cannot be called here"
        case nodes.Name(name=name):
            return None if name in VALUES else f"line {node.lineno}: there is no value {name[:50]}"
        case nodes.Operand(op=op):
            return None if op in {"eq", "ne"} else f"line {node.lineno}: only == and != compare here"
        case _:
            return None if isinstance(node, _ALLOWED) else f"line {node.lineno}: {type(node).__name__} is not possible here"


def _is_ours(call: nodes.Call) -> bool:
    """One of our two functions, of one word or value."""
    callee = call.node
    rest = (call.kwargs, call.dyn_args, call.dyn_kwargs)
    is_known = isinstance(callee, nodes.Name) and callee.name in CALLS
    return is_known and not any(rest) and len(call.args) == 1 and isinstance(call.args[0], nodes.Const | nodes.Name)


def _missing(kind: str, used: set[str]) -> list[str]:
    rules = KINDS[kind]
    if "number" not in used:
        return ["the service number is missing: {{ number }}"]
    if rules.needs == "text" and "text" not in used:
        return ["the answer of our staff is missing: {{ text }}"]
    if rules.needs == "link" and not used & {"button", "link"}:
        return ['the link is missing: {{ button("...") }}']
    return []
