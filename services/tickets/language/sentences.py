"""What happened to a ticket, as sentences for staff. They are made when somebody reads the history, so the rows stay codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.tickets.language.codes import Words, chosen, word
from shared.events.codes import Locale

SENTENCES: Final[Mapping[str, Words]] = {
    "ticket.opened": ("{actor}通过{channel}提出了请求。", "{actor}透過{channel}提出了請求。", "{actor} asked for help by {channel}."),
    "ticket.continued": (
        "作为工单 {linked_to} 的后续新建。",
        "作為工單 {linked_to} 的後續新建。",
        "Opened as the continuation of {linked_to}.",
    ),
    "ticket.message_added": (
        "{actor}补充了消息（{matched_by}）。",
        "{actor}補充了訊息（{matched_by}）。",
        "{actor} wrote again ({matched_by}).",
    ),
    "ticket.thanked": ("{actor}表示感谢。", "{actor}表示感謝。", "{actor} said thanks."),
    "ticket.replied": ("{actor}回复了客户。", "{actor}回覆了客戶。", "{actor} answered the customer."),
    "ticket.noted": ("{actor}写了内部备注。", "{actor}寫了內部備註。", "{actor} wrote an internal note."),
    "ticket.triaged": (
        "{actor}将工单定为{type}，优先级{priority}。",
        "{actor}將工單定為{type}，優先級{priority}。",
        "{actor} set type {type}, priority {priority}.",
    ),
    "ticket.assigned": ("工单分派给 {assignee}（{code}）。", "工單分派給 {assignee}（{code}）。", "Given to {assignee} ({code})."),
    "ticket.queued": ("工单放入团队 {team} 的队列。", "工單放入團隊 {team} 的佇列。", "Put into the queue of team {team}."),
    "ticket.status_changed": (
        "{actor}将状态由“{before}”改为“{status}”。",
        "{actor}將狀態由「{before}」改為「{status}」。",
        "{actor} changed the status from {before} to {status}.",
    ),
    "ticket.resolved": (
        "{actor}给出了解决方案（{resolution_code}）。",
        "{actor}給出了解決方案（{resolution_code}）。",
        "{actor} gave the solution ({resolution_code}).",
    ),
    "ticket.confirmed": ("{actor}确认已解决。", "{actor}確認已解決。", "{actor} confirmed that it is solved."),
    "ticket.reopened": (
        "{actor}重新打开了工单（{reason}）。",
        "{actor}重新開啟了工單（{reason}）。",
        "{actor} reopened the ticket ({reason}).",
    ),
    "ticket.closed": ("{actor}关闭了工单（{reason}）。", "{actor}關閉了工單（{reason}）。", "{actor} closed the ticket ({reason})."),
    "ticket.cancelled": ("{actor}取消了工单（{reason}）。", "{actor}取消了工單（{reason}）。", "{actor} cancelled the ticket ({reason})."),
    "ticket.reminded": ("已提醒客户回复。", "已提醒客戶回覆。", "The customer was reminded to answer."),
    "ticket.step_changed": ("{actor}将进度改为“{step}”。", "{actor}將進度改為「{step}」。", "{actor} set the progress to: {step}."),
    "ticket.merged": ("{actor}将本工单并入 {into}。", "{actor}將本工單併入 {into}。", "{actor} merged this ticket into {into}."),
    "ticket.unmerged": (
        "{actor}撤销了与 {parted_from} 的合并。",
        "{actor}撤銷了與 {parted_from} 的合併。",
        "{actor} undid the merge into {parted_from}.",
    ),
    "ticket.absorbed": (
        "{actor}将工单 {number} 并入本工单。",
        "{actor}將工單 {number} 併入本工單。",
        "{actor} merged {number} into this ticket.",
    ),
    "ticket.released": ("{actor}将工单 {number} 拆出。", "{actor}將工單 {number} 拆出。", "{actor} parted {number} from this ticket."),
    "ticket.linked": ("{actor}关联了工单 {other}（{kind}）。", "{actor}關聯了工單 {other}（{kind}）。", "{actor} linked {other} ({kind})."),
    "ticket.unlinked": (
        "{actor}取消了与工单 {other} 的关联（{kind}）。",
        "{actor}取消了與工單 {other} 的關聯（{kind}）。",
        "{actor} removed the link to {other} ({kind}).",
    ),
    "sla.breached": ("承诺时间已过：{target}。", "承諾時間已過：{target}。", "A promised time has passed: {target}."),
    "sla.warned": ("承诺时间将到：{target}。", "承諾時間將到：{target}。", "A promised time is near: {target}."),
    "sla.retargeted": ("承诺时间已更改。", "承諾時間已更改。", "The promised times were changed."),
    "ticket.escalated": ("工单已升级。", "工單已升級。", "The ticket was escalated."),
}
"""By name of the fact, or of what it comes down to."""

ACTORS: Final[Mapping[str, Words]] = {
    "customer": ("客户", "客戶", "The customer"),
    "system": ("系统", "系統", "The system"),
}

_LISTS: Final = {
    "channel": "channel", "matched_by": "reason", "type": "type", "priority": "priority", "code": "reason", "status": "status",
    "reason": "reason", "step": "step", "kind": "reason", "target": "reason",
}  # fmt: skip
"""Which list the codes of a field belong to."""


def sentence(
    type: str, data: Mapping[str, Any], actor: str, locale: Locale, *, before: str | None = None, names: Mapping[str, str] | None = None
) -> str:
    """One step of the history; ``before`` is the status before it, ``names`` are those of staff by principal id."""
    names = names or {}
    kind = _kind(type, data)
    if kind not in SENTENCES:
        return type
    fields = {name: _shown(name, value, locale, names) for name, value in data.items()}
    fields |= {"actor": _actor(actor, locale, names), "before": word("status", before, locale)}
    return chosen(SENTENCES[kind], locale).format_map(_Known(fields))


class _Known(dict[str, str]):
    """What older rows do not tell is a dash."""

    def __missing__(self, name: str) -> str:
        return "—"


def _kind(type: str, data: Mapping[str, Any]) -> str:
    """What a fact comes down to."""
    match type:
        case "ticket.opened" if data.get("linked_to"):
            return "ticket.continued"
        case "ticket.message_added" if data.get("thanks"):
            return "ticket.thanked"
        case "ticket.replied" if not data.get("public", True):
            return "ticket.noted"
        case "ticket.assigned" if data.get("assignee") is None:
            return "ticket.queued"
        case "ticket.absorbed" if data.get("removed"):
            return "ticket.released"
        case "ticket.linked" if data.get("removed"):
            return "ticket.unlinked"
        case _:
            return type


def _shown(name: str, value: Any, locale: Locale, names: Mapping[str, str]) -> str:
    text = None if value is None else str(value)
    if name == "assignee" and text is not None:
        return names.get(text, text)
    return word(_LISTS.get(name, ""), text, locale)


def _actor(actor: str, locale: Locale, names: Mapping[str, str]) -> str:
    return chosen(ACTORS[actor], locale) if actor in ACTORS else names.get(actor, actor)
