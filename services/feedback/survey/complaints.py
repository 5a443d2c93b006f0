"""Whether a comment complains: a small list of words that anybody can read, so that each flag is explained by the words it rests on.

A part of a sentence (up to a comma, a full stop, a "but") complains when it holds one of the words and nothing beside it that turns it
round: "not bad", "没有问题", "no refund needed", "the leak is fixed" do not. Words that hold a negation themselves ("没解决", "never came")
are not turned round by the same part.

What it cannot do, and does not pretend to: irony without a word of the list ("great service, as always" after an hour of waiting), hints,
other languages, spelling mistakes, praise that quotes an old complaint, a negation in another part of the sentence. A missed complaint
costs little where the scores are low, since a low answer is followed up by itself (D11); the flag is for those who score well and write
otherwise. A flag is a reason to read the comment, never a figure about staff.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

MOST_WORDS: Final = 10
"""Words that explain one flag."""
NEAR: Final = 40
"""Characters around a word in which something may turn it round."""

_ENGLISH: Final = (
    # what an angry customer asks for or threatens with
    "complain(?:t|ts|ed|ing)?|refunds?|compensat(?:e|ion)|lawyers?|sue|consumer protection",
    # what he says of us
    "rude(?:ly)?|impolite|unprofessional|unacceptable|disappoint(?:ed|ing|ment)|terribl[ey]|horribl[ey]|awful|useless|angry",
    "bad|worse|worst|poor(?:ly)?|slow|too (?:late|long|expensive)|overcharged?|cheat(?:ed|ing)?|scam|lied|ignored|waste of time",
    r"(?:waited|waiting) (?:for )?(?:\w+ )?(?:hours|days|weeks|months|forever)",
    # what he says of the thing
    "broken|broke (?:again|down)|leak(?:s|ing)?|problems?",
)
_ENGLISH_FAILURES: Final = (
    "still (?:not|does(?:n't| not)|is(?:n't| not)|broken)(?: [a-z]+)?|never (?:came|called|answered|replied|arrived|again)",
    "(?:does|do|did|is|was)(?:n't| not) (?:work|working|fixed|solved|help|answer|come|show up)",
    "no(?:body| one) (?:came|called|answered|replied|helped|cares|cared)",
)
"""What should have happened and did not; a negation is part of the words."""

_CHINESE: Final = (
    "投诉|投訴|举报|舉報|曝光|消协|消協|消费者协会|消費者協會|12315|1950|退款|退钱|退錢|赔偿|賠償|律师|律師|起诉|起訴|差评|差評",
    "(?:态度|態度)(?:很|太|非常|特别|特別|十分|有点|有點|极|極)?(?:差|恶劣|惡劣|不好|傲慢)|恶劣|惡劣|不耐烦|不耐煩|敷衍|推诿|推諉|踢皮球",
    r"太慢|很慢|太久|拖延|拖了|等了(?:很久|好久|半天|[一二三四五六七八九十两兩几幾\d]+(?:个|個)?(?:小时|小時|天|周|週|星期|月))",
    "太差|很差|极差|極差|差劲|差勁|糟糕|垃圾|坑人|骗人|騙人|欺骗|欺騙|忽悠|乱收费|亂收費|太贵|太貴|失望|气死|氣死|生气|生氣|无语|無語",
    "坏了|壞了|又坏|又壞|坏掉|壞掉|故障|漏水|漏电|漏電|异响|異響|(?:有|出|老|新)(?:问题|問題)",
)
_CHINESE_FAILURES: Final = (
    "[没沒]有?(?:解决|解決|修好|用处|用處|效果|人管|人接|人回|人理)|未解决|未解決|(?:解决|解決)不了|修不好",
    "[还還]是不行|[还還][没沒]有?(?:好|修|来|來|收到)|不(?:满意|滿意|满|滿|专业|專業|负责|負責)",
)

_TURNED_BEFORE: Final = (
    r"(?:\b(?:not|never|hardly|no|without|zero|any)|n't) (?:\w+ ){0,2}$",
    "[没沒不未无無别別](?:再|会|會|被|太|想|要|需要|用|算|是|有|觉得|覺得|感到|那么|那麼|任何|什么|什麼|出现|出現|过|過)*$",
)
_TURNED_AFTER: Final = (
    r"^ ?(?:(?:was|were|is|are|has been|have been) )?(?:all |now |quickly )?(?:solved|fixed|gone|resolved)\b",
    "^(?:都|已经|已經|也|全|很快|得到|了)*(?:解决|解決|修好|处理好|處理好)(?!不了)",
)

_PARTS: Final = re.compile(r"[,.;:!?\n，。；：！？、…]+|\b(?:but|although|however)\b|但是|不过|不過|可是|然而|但")
_FAILED: Final = re.compile(rf"\b(?:{'|'.join(_ENGLISH_FAILURES)})\b|{'|'.join(_CHINESE_FAILURES)}")
_FOUND: Final = re.compile(rf"{_FAILED.pattern}|\b(?:{'|'.join(_ENGLISH)})\b|{'|'.join(_CHINESE)}")
_BEFORE: Final = re.compile("|".join(_TURNED_BEFORE))
_AFTER: Final = re.compile("|".join(_TURNED_AFTER))


def complaint_words(comment: str | None) -> list[str]:
    """The words of a comment that complain, in their order, each once, at most ten; empty when nothing does."""
    found = dict.fromkeys(_words(comment)) if comment else {}
    return list(found)[:MOST_WORDS]


def _words(comment: str) -> Iterator[str]:
    for part in _PARTS.split(comment.casefold().replace("’", "'")):
        for match in _FOUND.finditer(part):
            if _FAILED.fullmatch(match[0]) or not _is_turned(
                part[max(0, match.start() - NEAR) : match.start()], part[match.end() : match.end() + NEAR]
            ):
                yield match[0]


def _is_turned(before: str, after: str) -> bool:
    return bool(_BEFORE.search(before) or _AFTER.match(after))
