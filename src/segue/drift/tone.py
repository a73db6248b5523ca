"""The tone of an answer, as traits that anyone can check by reading: hedging, apology, exclamation, persons, contractions.

Each is a stock of words and phrases or a sign; none is a score of anything. Words are looked for in the language of the text
(English, German, French, Spanish); in any other language those traits are unknown. Code and the keys of JSON have no tone.
Pure. Which traits moved is `moves.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from segue.drift.fences import find_fences, outside_fences
from segue.drift.json_text import find_json, is_container, parse_json
from segue.drift.language import guess_language
from segue.model import Json

LONGEST = 20_000
"""Characters of an answer whose tone is looked at: its beginning."""
LEAST_WORDS = 3
"""A label or a number has no tone."""
MOST_VALUES = 2_000

WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "hedges": {
        "en": ("perhaps", "maybe", "might", "possibly", "probably", "it seems", "i think", "i believe", "may be", "likely"),
        "de": ("vielleicht", "möglicherweise", "eventuell", "vermutlich", "wahrscheinlich", "es scheint", "ich glaube"),
        "fr": ("peut-être", "probablement", "il semble", "il se peut", "sans doute", "je crois", "je pense"),
        "es": ("quizás", "quizá", "tal vez", "probablemente", "posiblemente", "parece que", "creo que"),
    },
    "apologises": {
        "en": ("sorry", "apologise", "apologize", "apologies", "apology", "regret"),
        "de": ("entschuldigung", "entschuldigen", "tut mir leid", "tut uns leid", "bedauern", "verzeihung"),
        "fr": ("désolé", "désolée", "désolés", "excuses", "excusez", "regrettons", "navré", "navrés"),
        "es": ("lo siento", "lo sentimos", "disculpe", "disculpa", "disculpas", "perdón", "lamentamos", "lamento"),
    },
    "first_person": {
        "en": ("i", "i'm", "i'll", "i've", "i'd", "my", "me"),
        "de": ("ich", "mein", "meine", "mir", "mich"),
        "fr": ("je", "mon", "ma", "mes", "moi"),
        "es": ("yo", "mi", "mis", "me"),
    },
    "says_we": {
        "en": ("we", "we're", "we'll", "we've", "our", "us"),
        "de": ("wir", "unser", "unsere", "uns"),
        "fr": ("nous", "notre", "nos"),
        "es": ("nosotros", "nuestro", "nuestra", "nuestros", "nos"),
    },
    "addresses": {
        "en": ("you", "your", "you're", "you'll", "you've"),
        "de": ("sie", "ihnen", "ihr", "ihre", "du", "dein", "deine", "dir"),
        "fr": ("vous", "votre", "vos", "tu", "ton", "ta", "tes"),
        "es": ("usted", "su", "sus", "tú", "tu", "tus", "le"),
    },
    "familiar": {
        "de": ("du", "dein", "deine", "deinen", "dir", "dich"),
        "fr": ("tu", "ton", "ta", "tes", "toi"),
        "es": ("tú", "tu", "tus", "ti"),
    },
    "polite": {
        "en": ("please", "thank you", "thanks", "kind regards", "best regards", "sincerely"),
        "de": ("bitte", "danke", "vielen dank", "freundlichen grüßen", "freundliche grüße"),
        "fr": ("merci", "s'il vous plaît", "cordialement", "veuillez"),
        "es": ("por favor", "gracias", "saludos", "atentamente"),
    },
    "enthuses": {
        "en": ("great question", "absolutely", "certainly", "of course", "happy to help", "glad to", "wonderful", "amazing"),
        "de": ("gute frage", "selbstverständlich", "natürlich", "gerne", "wunderbar", "großartig"),
        "fr": ("bonne question", "bien sûr", "avec plaisir", "absolument", "ravi", "formidable"),
        "es": ("buena pregunta", "por supuesto", "claro que sí", "con gusto", "encantado", "maravilloso"),
    },
    "disclaims": {
        "en": ("as an ai", "language model", "i'm an ai", "i am an ai"),
        "de": ("als ki", "sprachmodell"),
        "fr": ("en tant qu'ia", "modèle de langage"),
        "es": ("como ia", "modelo de lenguaje"),
    },
}
"""Trait → language → its words. `familiar` is the form of address between friends; English has none."""

_CONTRACTION = re.compile(r"\b\w+(?:n't|'re|'ll|'ve|'m)\b")
_EMOJI = re.compile("[\U0001f300-\U0001faff\U00002600-\U000027bf]")
_SENTENCE = re.compile(r"[.!?…]+(?:\s|$)|\n+")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, sorted(words, key=len, reverse=True))) + r")(?!\w)")


_PATTERNS = {trait: {language: _pattern(words) for language, words in stock.items()} for trait, stock in WORDS.items()}
WORD_TRAITS: tuple[str, ...] = (*WORDS, "contracts")
SIGN_TRAITS: tuple[str, ...] = ("exclaims", "asks", "emoji")


def read_tone(text: str) -> dict[str, float | None]:
    """Each trait as 1 or 0, `sentence_words` and `word_letters` as amounts; all unknown where there is no prose."""
    prose = prose_of(text)
    words = _WORD.findall(prose)
    if len(words) < LEAST_WORDS:
        return dict.fromkeys((*WORD_TRAITS, *SIGN_TRAITS, "sentence_words", "word_letters"))
    language = guess_language(prose)
    lowered = prose.replace("’", "'").casefold()
    found: dict[str, float | None] = {}
    for trait, patterns in _PATTERNS.items():
        pattern = None if language is None else patterns.get(language)
        found[trait] = None if pattern is None else float(pattern.search(lowered) is not None)
    found["contracts"] = float(_CONTRACTION.search(lowered) is not None) if language == "en" else None
    found["exclaims"] = float("!" in prose)
    found["asks"] = float("?" in prose or "？" in prose)
    found["emoji"] = float(_EMOJI.search(prose) is not None)
    n_sentences = sum(1 for part in _SENTENCE.split(prose) if _WORD.search(part))
    found["sentence_words"] = len(words) / max(1, n_sentences)
    found["word_letters"] = sum(map(len, words)) / len(words)
    return found


def prose_of(text: str) -> str:
    """What of an answer is meant to be read as words: the strings of its JSON, and what stands outside of code."""
    sample = text[:LONGEST]
    whole = parse_json(sample)
    if is_container(whole):
        return _strings(whole)
    blocks = find_fences(sample)
    inside = [parse_json(block.content) for block in blocks]
    prose = outside_fences(sample, blocks) if blocks else sample
    if not blocks and "{" in sample and (span := find_json(sample)) is not None:
        inside, prose = [span.value], sample[: span.start] + " " + sample[span.end :]
    return "\n".join((prose, *(_strings(value) for value in inside if is_container(value))))


def _strings(value: Json) -> str:
    """The strings among the values, one a line: each is a sentence or more of its own."""
    found: list[str] = []
    stack = [value]
    while stack and len(found) < MOST_VALUES:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(reversed(item.values()))
        elif isinstance(item, list):
            stack.extend(reversed(item))
        elif isinstance(item, str) and " " in item:
            found.append(item)
    return "\n".join(found)
