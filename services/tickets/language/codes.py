"""One code, one word. Lists of codes may grow: a code without a word is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.events.codes import Locale

Words = tuple[str, str, str]
"""zh-CN, zh-TW, en."""

_PLACE: Final = {Locale.ZH_CN: 0, Locale.ZH_TW: 1, Locale.EN: 2}

STATUS: Final[Mapping[str, Words]] = {
    "new": ("新建", "新建", "new"),
    "triaged": ("已分类", "已分類", "triaged"),
    "assigned": ("已分派", "已分派", "assigned"),
    "in_progress": ("处理中", "處理中", "in progress"),
    "waiting_customer": ("等待客户", "等待客戶", "waiting for the customer"),
    "waiting_parts": ("等待备件", "等待備件", "waiting for parts"),
    "waiting_third_party": ("等待第三方", "等待第三方", "waiting for a third party"),
    "resolved": ("已解决", "已解決", "resolved"),
    "confirmed": ("客户已确认", "客戶已確認", "confirmed"),
    "closed": ("已关闭", "已關閉", "closed"),
    "cancelled": ("已取消", "已取消", "cancelled"),
    "merged": ("已合并", "已合併", "merged"),
}

TYPE: Final[Mapping[str, Words]] = {
    "enquiry": ("咨询", "諮詢", "enquiry"),
    "complaint": ("投诉", "投訴", "complaint"),
    "suggestion": ("建议", "建議", "suggestion"),
    "praise": ("表扬", "表揚", "praise"),
    "return": ("退货", "退貨", "return"),
    "exchange": ("换货", "換貨", "exchange"),
    "refund": ("退款", "退款", "refund"),
    "repair": ("维修", "維修", "repair"),
    "installation": ("安装", "安裝", "installation"),
    "technical_support": ("技术支持", "技術支援", "technical support"),
}

PRIORITY: Final[Mapping[str, Words]] = {
    "low": ("低", "低", "low"),
    "normal": ("普通", "普通", "normal"),
    "high": ("高", "高", "high"),
    "urgent": ("紧急", "緊急", "urgent"),
}

STEP: Final[Mapping[str, Words]] = {
    "received": ("已收到物品", "已收到物品", "item received"),
    "diagnosed": ("已检测故障", "已檢測故障", "fault diagnosed"),
    "quoted": ("已报价", "已報價", "quote given"),
    "repairing": ("维修中", "維修中", "being repaired"),
    "tested": ("已测试", "已測試", "tested"),
    "returned": ("已寄回", "已寄回", "sent back"),
    "approved": ("已批准", "已核准", "approved"),
    "in_transit": ("运输中", "運送中", "in transit"),
    "inspected": ("已验货", "已驗貨", "inspected"),
    "refunded": ("已退款", "已退款", "refunded"),
    "replacement_sent": ("已寄出换货", "已寄出換貨", "replacement sent"),
    "delivered": ("已送达", "已送達", "delivered"),
    "requested": ("已申请", "已申請", "requested"),
    "checked": ("已核对", "已核對", "checked"),
    "surveyed": ("已现场勘查", "已現場勘查", "site surveyed"),
    "scheduled": ("已预约", "已預約", "appointment made"),
    "on_the_way": ("工程师在途", "工程師在途", "engineer on the way"),
    "installing": ("安装中", "安裝中", "being installed"),
    "handed_over": ("已交付", "已交付", "handed over"),
    "guided": ("已远程指导", "已遠端指導", "guided through it"),
    "verified": ("已核实", "已核實", "verified"),
    "understood": ("已了解诉求", "已了解訴求", "understood"),
    "planned": ("已制定方案", "已擬定方案", "plan made"),
    "carried_out": ("方案已执行", "方案已執行", "plan carried out"),
    "summarised": ("已总结", "已總結", "summarised"),
    "looked_up": ("已查询", "已查詢", "looked up"),
    "answered": ("已答复", "已答覆", "answered"),
    "reviewed": ("已评审", "已評審", "reviewed"),
    "passed_on": ("已转达", "已轉達", "passed on"),
    "decided": ("已决定", "已決定", "decided"),
}

CHANNEL: Final[Mapping[str, Words]] = {
    "phone": ("电话", "電話", "phone"),
    "web": ("网站", "網站", "the website"),
    "app": ("手机应用", "手機應用程式", "the app"),
    "email": ("电子邮件", "電子郵件", "e-mail"),
    "sms": ("短信", "簡訊", "SMS"),
    "chat": ("在线客服", "線上客服", "chat"),
    "bot": ("智能客服", "智慧客服", "the bot"),
    "wechat": ("微信", "微信", "WeChat"),
    "wecom": ("企业微信", "企業微信", "WeCom"),
    "weibo": ("微博", "微博", "Weibo"),
    "walk_in": ("现场", "現場", "a visit"),
    "internal": ("内部", "內部", "a colleague"),
    "listening": ("社交媒体监听", "社群監聽", "social listening"),
    "community": ("客户社区", "客戶社群", "the community"),
}

REASON: Final[Mapping[str, Words]] = {
    "in_reply_to": ("回复之前的消息", "回覆先前的訊息", "a reply to an earlier message"),
    "merged": ("回复已合并的工单", "回覆已合併的工單", "a reply to a merged ticket"),
    "conversation": ("同一会话", "同一對話", "the same conversation"),
    "product": ("同一产品或订单", "同一產品或訂單", "the same product or order"),
    "channel": ("24 小时内的同一渠道", "24 小時內的同一管道", "the same channel within 24 hours"),
    "thanks": ("致谢", "致謝", "thanks"),
    "taken": ("自行领取", "自行領取", "taken"),
    "taken_over": ("接管", "接手", "taken over"),
    "handed_over": ("转交", "轉交", "handed over"),
    "round_robin": ("轮流分派", "輪流分派", "round robin"),
    "queued": ("进入队列", "進入佇列", "queued"),
    "customer_reply": ("客户回复", "客戶回覆", "the customer replied"),
    "low_answer": ("评价较低", "評價較低", "a low rating"),
    "reopened": ("重新打开", "重新開啟", "reopened"),
    "window_over": ("重开期限已过", "重開期限已過", "the time for reopening is over"),
    "no_customer_answer": ("客户未回复", "客戶未回覆", "the customer did not answer"),
    "staff": ("由员工决定", "由員工決定", "decided by staff"),
    "withdrawn": ("客户撤回", "客戶撤回", "withdrawn"),
    "duplicate": ("重复", "重複", "duplicate"),
    "spam": ("垃圾信息", "垃圾訊息", "spam"),
    "test": ("测试", "測試", "test"),
    "not_a_request": ("不是请求", "不是請求", "not a request"),
    "dismissed": ("请求不成立", "請求不成立", "the request was none"),
    "related": ("相关", "相關", "related"),
    "caused_by": ("起因", "起因", "caused by"),
    "continues": ("后续", "後續", "continues"),
    "first_response": ("首次响应", "首次回應", "first response"),
    "next_response": ("后续响应", "後續回應", "next response"),
    "resolution": ("解决", "解決", "resolution"),
}

LISTS: Final[Mapping[str, Mapping[str, Words]]] = {
    "status": STATUS,
    "type": TYPE,
    "priority": PRIORITY,
    "step": STEP,
    "channel": CHANNEL,
    "reason": REASON,
}


def word(list_name: str, code: str | None, locale: Locale) -> str:
    """The word for a code of a list; the code itself where there is none, and a dash for nothing."""
    if code is None:
        return "—"
    words = LISTS.get(list_name, {}).get(code)
    return code if words is None else words[_PLACE[locale]]


def chosen(words: Words, locale: Locale) -> str:
    """The words in one language."""
    return words[_PLACE[locale]]
