"""What the sign-in page says, in each of our languages; translated by meaning, not converted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.auth import Role
from shared.events.codes import Locale


@dataclass(frozen=True, slots=True)
class Words:
    """All sentences of the page in one language. ``{name}``, ``{role}`` and ``{moment}`` are the session's."""

    product: str
    switch: str
    title: str
    lead: str
    key: str
    hint: str
    submit: str
    wrong: str
    missing: str
    failed: str
    error_prefix: str
    signed_in_title: str
    signed_in: str
    forbidden: str
    sign_out: str
    signed_out: str
    go_on: str
    dashboard: str
    documentation: str
    other_key: str
    roles: Mapping[Role, str]


ZH_CN: Final = Words(
    product="售后服务",
    switch="语言",
    title="登录",
    lead="请输入您的 API 密钥。登录后 8 小时内有效，四个服务通用。",
    key="API 密钥",
    hint="以 ak_ 开头。密钥不会保存在浏览器的网页中。",
    submit="登录",
    wrong="该密钥无效，可能已过期或被吊销。",
    missing="请输入密钥。",
    failed="暂时无法登录，请稍后再试。",
    error_prefix="有误：",
    signed_in_title="您已登录",
    signed_in="{name}（{role}），{moment} 前有效。",
    forbidden="您的角色无权查看该页面。请使用其他密钥登录。",
    sign_out="退出登录",
    signed_out="您已退出登录。",
    go_on="继续",
    dashboard="指标看板",
    documentation="接口文档",
    other_key="使用其他密钥登录",
    roles={
        Role.CUSTOMER: "客户",
        Role.BOT: "机器人",
        Role.AGENT: "客服",
        Role.LEAD: "组长",
        Role.MANAGER: "经理",
        Role.FINANCE: "财务",
        Role.ENGINEER: "工程师",
        Role.OPS: "运维",
        Role.AUDITOR: "审计",
        Role.ADMIN: "管理员",
        Role.SERVICE: "系统",
    },
)

ZH_TW: Final = Words(
    product="售後服務",
    switch="語言",
    title="登入",
    lead="請輸入您的 API 金鑰。登入後 8 小時內有效，四個服務共用。",
    key="API 金鑰",
    hint="以 ak_ 開頭。金鑰不會保存在瀏覽器的網頁中。",
    submit="登入",
    wrong="此金鑰無效，可能已過期或遭撤銷。",
    missing="請輸入金鑰。",
    failed="目前無法登入，請稍後再試。",
    error_prefix="有誤：",
    signed_in_title="您已登入",
    signed_in="{name}（{role}），{moment} 前有效。",
    forbidden="您的角色無權檢視此頁面。請使用其他金鑰登入。",
    sign_out="登出",
    signed_out="您已登出。",
    go_on="繼續",
    dashboard="指標儀表板",
    documentation="介面文件",
    other_key="使用其他金鑰登入",
    roles={
        Role.CUSTOMER: "客戶",
        Role.BOT: "機器人",
        Role.AGENT: "客服",
        Role.LEAD: "組長",
        Role.MANAGER: "經理",
        Role.FINANCE: "財務",
        Role.ENGINEER: "工程師",
        Role.OPS: "維運",
        Role.AUDITOR: "稽核",
        Role.ADMIN: "管理員",
        Role.SERVICE: "系統",
    },
)

EN: Final = Words(
    product="After-sales service",
    switch="Language",
    title="Sign in",
    lead="Enter your API key. The session lasts 8 hours and holds for all four services.",
    key="API key",
    hint="It begins with ak_. The page does not keep it.",
    submit="Sign in",
    wrong="This key does not hold. It may have expired or been revoked.",
    missing="Enter a key.",
    failed="Signing in is not possible at the moment. Please try again soon.",
    error_prefix="Error: ",
    signed_in_title="You are signed in",
    signed_in="{name} ({role}), until {moment}.",
    forbidden="Your role may not see that page. Sign in with another key.",
    sign_out="Sign out",
    signed_out="You have signed out.",
    go_on="Go on",
    dashboard="Dashboard",
    documentation="API documentation",
    other_key="Sign in with another key",
    roles={role: role.value for role in Role},
)

WORDS: Final[Mapping[Locale, Words]] = {Locale.ZH_CN: ZH_CN, Locale.ZH_TW: ZH_TW, Locale.EN: EN}
