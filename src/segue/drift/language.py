"""Which script and which language a text is in: a light guess from letters and stop words, None when unsure.

Made to notice that answers changed language, not to identify languages: eleven languages by their stop words, a few more by
a script of their own. Pure; reads a bounded sample.
"""

from __future__ import annotations

import re
from collections import Counter

_SAMPLE = 4000
_MIN_HITS = 3  # of two letters or more: "a", "o" and "i" are variables too
_MIN_SHARE = 0.12
_LEAD = 1.4

_SCRIPTS: tuple[tuple[str, str], ...] = (
    ("latin", "A-Za-zÀ-ÖØ-öø-ɏ"),
    ("cyrillic", "Ѐ-ӿ"),
    ("greek", "Ͱ-Ͽ"),
    ("arabic", "؀-ۿݐ-ݿ"),
    ("hebrew", "֐-׿"),
    ("devanagari", "ऀ-ॿ"),
    ("thai", "฀-๿"),
    ("kana", "぀-ヿ"),
    ("han", "一-鿿㐀-䶿"),
    ("hangul", "가-힯ᄀ-ᇿ"),
)
_SCRIPT_PATTERNS = tuple((name, re.compile(f"[{letters}]")) for name, letters in _SCRIPTS)
_ASCII = re.compile(r"[\x00-\x7f]+")
_ASCII_LETTER = re.compile(r"[A-Za-z]")
_SCRIPT_LANGUAGE = {"greek": "el", "hebrew": "he", "thai": "th", "hangul": "ko"}

_STOP_WORDS: dict[str, str] = {
    "en": (
        "the of and to is that it for was with as be this are at by have from or not you we they which will your "
        "can has but if there would an our what were been their i he she his her do does how when where"
    ),
    "de": (
        "der die das und ist nicht ein eine einen einem einer mit von den dem des auf für sich im zu auch es an "
        "werden aus er sie wir ihr sind wird bei nach oder aber wenn dass können haben hat wie zum zur über als "
        "bitte ihre"
    ),
    "fr": (
        "le la les des et est une un du que qui dans pour pas sur avec ce cette ces vous nous ils elle il je ne au "
        "aux sont par plus ou mais être votre notre leur été fait comme d'un d'une c'est"
    ),
    "es": (
        "el la los las de y que es un una en por con no se del al para como más su sus lo pero está son este esta "
        "si o usted le ha muy también puede nos hay ser fue"
    ),
    "it": (
        "il lo la gli le di e che è un una in per con non si del della dei delle al alla come più su anche sono "
        "questo questa ma se nel nella ha suo può essere ci i dal"
    ),
    "pt": (
        "o a os as de e que é um uma em por com não se do da dos das ao à para como mais seu sua mas está são este "
        "esta no na nos nas você ou foi ser também pode tem isso"
    ),
    "nl": (
        "de het een en van is niet dat in op te voor met zijn aan er ook als maar bij door naar uit dit deze wordt "
        "kan heeft wij je u ik zij hij om of worden hebben uw"
    ),
    "pl": (
        "i w na nie się jest z do to że o jak ale po co za od tym jego przez są być dla czy tak może lub oraz "
        "który która które ma pan pani przy tego"
    ),
    "sv": (
        "och att det är en ett som på för med inte den till av har de vi jag du kan om men så från eller var han "
        "hon ska vid sig detta din ditt när"
    ),
    "ru": (
        "и в не на что с по это как а но к у из за от для то так же вы мы он она они его ее или если был быть все "
        "может при только уже до бы"
    ),
    "uk": (
        "і в не на що з по це як а але до у із за від для то так ви ми він вона вони його її або якщо був бути все "
        "може при тільки вже та є"
    ),
}
_LANGUAGES_OF: dict[str, tuple[str, ...]] = {}
for _language, _words in _STOP_WORDS.items():
    for _one in sorted(set(_words.split())):
        _LANGUAGES_OF[_one] = (*_LANGUAGES_OF.get(_one, ()), _language)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_SHARES = 27_720
"""A word's weight in whole numbers: divisible by every number of languages up to twelve, so that sums are exact."""


def dominant_script(text: str) -> str | None:
    """The script most letters of a sample are in, or None without letters. Kana and han together are `kana`."""
    sample = text[:_SAMPLE]
    if sample.isascii():
        return "latin" if _ASCII_LETTER.search(sample) else None
    # Most characters of most texts are ASCII: they are counted once and left out of the ten counts.
    others = _ASCII.sub("", sample)
    counts = {name: len(pattern.findall(others)) for name, pattern in _SCRIPT_PATTERNS}
    counts["latin"] += len(_ASCII_LETTER.findall(sample))
    if counts["kana"] and counts["kana"] * 10 >= counts["han"]:
        counts["kana"] += counts.pop("han")
    name, count = max(counts.items(), key=lambda item: item[1])
    return name if count else None


def guess_language(text: str, script: str | None = None) -> str | None:
    """The language as an ISO 639-1 code, or None when unsure: too short, mixed, or a language not known here."""
    script = dominant_script(text) if script is None else script
    if script is None:
        return None
    if script == "kana":
        return "ja"
    if script == "han":
        return "zh" if len(text.strip()) >= _MIN_HITS else None
    if script in _SCRIPT_LANGUAGE:
        return _SCRIPT_LANGUAGE[script]
    words = _WORD.findall(text[:_SAMPLE].replace("’", "'"))
    weights: dict[str, int] = {}
    hits: dict[str, int] = {}
    for word, count in Counter(words).items():
        word = word.casefold()
        languages = _LANGUAGES_OF.get(word)
        if languages is None:
            continue
        weight = count * (_SHARES // len(languages))
        for language in languages:
            weights[language] = weights.get(language, 0) + weight
            if len(word) > 1:
                hits[language] = hits.get(language, 0) + count
    if not weights:
        return None
    first, *others = sorted(weights, key=lambda one: -weights[one])[:2]
    if hits.get(first, 0) < max(_MIN_HITS, _MIN_SHARE * len(words)):
        return None
    return None if others and weights[first] < _LEAD * weights[others[0]] else first
