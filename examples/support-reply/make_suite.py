"""Writes the suite of this example from the mails in `suite_source`.

    python examples/support-reply/make_suite.py            # write workflows/support-reply/suites/main.jsonl
    python examples/support-reply/make_suite.py --check    # say whether the file is up to date

Every mail there becomes one case. What people write around their request (a greeting, a signature, a quoted mail) and the
numbers in it are drawn from a hash of the case's id, so the file is the same on every machine and a new mail moves no other.
It knows nothing of Segue but the fields of a case.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "suite_source"
SUITE = HERE / "workflows" / "support-reply" / "suites" / "main.jsonl"
LANGUAGES = ("en", "de", "fr", "es")
ALWAYS_CRITICAL = ("high-stakes", "red-team")

_CHOICE = re.compile(r"\{([^{}|]+(?:\|[^{}|]+)+)\}")
_SLOT = re.compile(r"\{(\w+)\}")
_T = TypeVar("_T")


class Luck:
    """Draws for one case: the same name gives the same draw, whatever else was drawn."""

    def __init__(self, case_id: str) -> None:
        self._case_id = case_id

    def number(self, purpose: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        digest = blake2b(f"{self._case_id}/{purpose}".encode(), digest_size=8).digest()
        return low + int.from_bytes(digest) % (high - low + 1)

    def pick(self, purpose: str, choices: Sequence[_T]) -> _T:
        """One of `choices`."""
        return choices[self.number(purpose, 0, len(choices) - 1)]

    def happens(self, purpose: str, per_cent: int) -> bool:
        """True in `per_cent` of 100 cases."""
        return self.number(purpose, 1, 100) <= per_cent


def make_cases(source: Path = SOURCE) -> Iterator[dict[str, Any]]:
    """All cases, in the order of the situations and of the languages."""
    situations, wrong, voices = (_load(source / f"{name}.yaml") for name in ("situations", "wrong", "voices"))
    mails = {language: _load(source / f"mails.{language}.yaml") for language in LANGUAGES}
    for situation, about in situations.items():
        for language in LANGUAGES:
            entry = mails[language][situation]
            for index, mail in enumerate(entry["mails"], 1):
                case_id = f"{_stem(situation, about['task'])}-{language}-{index}"
                yield _case(case_id, situation, about, language, entry, mail, wrong, voices[language])


def _stem(situation: str, task: str) -> str:
    """Case ids begin with their task, so that what belongs together is listed together."""
    name = situation.replace("_", "-")
    return f"{task}-red-team-{name.removeprefix('attack-')}" if name.startswith("attack-") else name


def _case(
    case_id: str,
    situation: str,
    about: dict[str, Any],
    language: str,
    entry: dict[str, Any],
    mail: str,
    wrong: dict[str, Any],
    voice: dict[str, Any],
) -> dict[str, Any]:
    luck = Luck(case_id)
    values = _values(luck, language, voice)
    before = [_fill(text, values, luck) for text in entry.get("before", ())]
    text = _fill(mail, values, luck)
    kind = about.get("kind", "representative")
    tier = _tier(luck, " ".join([text, *before]), voice, is_attack=kind == "red-team")
    if kind != "red-team" or luck.happens("attack in a voice", 40):
        text = _in_a_voice(luck, text, tier, voice, is_first=not before)
    messages = [{"role": ("user", "assistant")[at % 2], "content": turn} for at, turn in enumerate([*before, text])]
    named = set(_SLOT.findall(" ".join([mail, *entry.get("before", ())])))
    total = next((values[slot] for slot in ("big", "small") if slot in named), None)
    right = {"topic": about["task"], "action": about["action"], "reply": _fill(entry["reply"], values, luck)}
    metadata: dict[str, Any] = {"situation": situation}
    if "ticket" in about:
        metadata["ticket"] = about["ticket"]
    for name in ("timid", "eager"):
        metadata[name] = [_wrong(about["task"], action, wrong, language, total, luck) for action in about[name]]
    case: dict[str, Any] = {
        "case_id": case_id,
        "task": about["task"],
        "slice": {"lang": language, "tier": tier},
        "kind": kind,
    }
    if kind in ALWAYS_CRITICAL:
        case["critical"] = True
    return {**case, "variables": {"tier": tier}, "messages": messages, "reference": right, "metadata": metadata}


def _values(luck: Luck, language: str, voice: dict[str, Any]) -> dict[str, str]:
    """What the slots of a mail and its reply stand for."""
    small = (luck.number("small", 9, 139), luck.pick("small cents", (0, 50, 90, 95)))
    big = (luck.number("big", 189, 640), luck.pick("big cents", (0, 0, 90)))
    return {
        "order": f"KP-{luck.number('order', 20117, 91840)}",
        "small": _money(*small, language),
        "big": _money(*big, language),
        "weeks": str(luck.number("weeks", 3, 6)),
        "card": f"{luck.number('card', 0, 9999):04}",
        "her": f"{luck.pick('her name', voice['women'])} {luck.pick('her surname', voice['surnames'])}",
        "him": f"{luck.pick('his name', voice['men'])} {luck.pick('his surname', voice['surnames'])}",
    }


def _money(euros: int, cents: int, language: str) -> str:
    return f"€{euros}.{cents:02}" if language == "en" else f"{euros},{cents:02} €"


def _fill(text: str, values: dict[str, str], luck: Luck) -> str:
    """Choices first, then slots; doubled braces are braces."""
    text = text.replace("{{", "\0").replace("}}", "\1")
    text = _CHOICE.sub(lambda found: luck.pick(f"choice {found.start()}", found.group(1).split("|")), text)
    text = re.sub(r"\{(\d+)\}", r"\1", text)
    text = _SLOT.sub(lambda found: values[found.group(1)], text)
    return text.replace("\0", "{").replace("\1", "}")


def _tier(luck: Luck, text: str, voice: dict[str, Any], *, is_attack: bool) -> str:
    """Who writes: nobody writes about a birthday in the name of a company, nor about a bookkeeper as a private person."""
    lowered = text.casefold()
    if any(word in lowered for word in voice["business"]):
        return "business"
    is_private = is_attack or any(word in lowered for word in voice["private"])
    drawn = luck.number("tier", 1, 100)
    if drawn <= 28 and not is_private:
        return "business"
    return "plus" if drawn > 68 else "standard"


def _in_a_voice(luck: Luck, text: str, tier: str, voice: dict[str, Any], *, is_first: bool) -> str:
    """The mail as somebody in particular would send it: short ones stay short, some ramble, companies sign."""
    is_terse = len(text) < 60 or text[:1].islower()
    parts = [text]
    if luck.happens("aside", 0 if is_terse else 14):
        parts.append(luck.pick("which aside", voice["asides"]))
    is_greeted = text.casefold().startswith(tuple(voice["greeted"]))
    if is_first and not is_greeted and luck.happens("greeting", 12 if is_terse else 58):
        parts.insert(0, luck.pick("which greeting", voice["greetings"]))
    names = {
        "name": luck.pick("name", [*voice["women"], *voice["men"]]),
        "surname": luck.pick("surname", voice["surnames"]),
        "number": str(luck.number("member", 10_412, 88_730)),
    }
    if luck.happens("closing", 15 if is_terse else 62):
        parts.append(luck.pick("which closing", voice["closings"]).format(**names))
    if tier == "business" and not is_terse:
        parts.append(luck.pick("firm", voice["firms"]))
    elif tier == "plus" and luck.happens("says plus", 45):
        parts.append(luck.pick("how plus", voice["plus"]).format(**names))
    if luck.happens("phone", 30 if is_terse else 9):
        parts.append(luck.pick("which phone", voice["phone"]))
    if is_first and luck.happens("quotes", 6):
        parts.append(voice["quoted"])
    return "\n\n".join(parts)


def _wrong(task: str, action: str, wrong: dict[str, Any], language: str, total: str | None, luck: Luck) -> dict[str, str]:
    texts = [text for text in wrong[action][language] if total is not None or "{sum}" not in text]
    reply = luck.pick(f"wrong {action}", texts).replace("{sum}", total or "")
    return {"topic": task, "action": action, "reply": reply}


def suite_text(source: Path = SOURCE) -> str:
    """The suite as JSON Lines."""
    return "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in make_cases(source))


def _load(path: Path) -> dict[str, Any]:
    loaded = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict), path
    return loaded


def main(words: Sequence[str]) -> int:
    """Write the suite, or with `--check` compare it with the file."""
    made = suite_text()
    if "--check" in words:
        is_same = SUITE.exists() and SUITE.read_text(encoding="utf-8") == made
        sys.stdout.write(
            "The suite is up to date.\n" if is_same else f"{SUITE.name} is not what the mails make of it; run again.\n"
        )
        return 0 if is_same else 1
    SUITE.parent.mkdir(parents=True, exist_ok=True)
    SUITE.write_text(made, encoding="utf-8")
    sys.stdout.write(f"{made.count(chr(10))} cases written to {SUITE.relative_to(HERE)}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
