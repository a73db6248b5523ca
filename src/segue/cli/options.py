"""Arguments and options that several commands share, read once into what they mean."""

from __future__ import annotations

import re
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
NEW_NAME = re.compile(r"\w[\w.+-]{0,119}")


class Name(click.ParamType[str]):
    """A name that is looked up: anything but nothing, which is what an unset shell variable leaves."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail("it is empty. Is a shell variable unset?", param, ctx)
        return str(value)


class NewName(Name):
    """A name that is given: it may become a file's, a line of YAML, a word on a command line."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        given = super().convert(value, param, ctx)
        if not NEW_NAME.fullmatch(given):
            what = f"{given[:80]!r} cannot be a name. Use letters, digits and . _ + -, beginning with a letter or digit."
            self.fail(what, param, ctx)
        return given


NAME, NEW = Name(), NewName()


class SignOff(click.ParamType[str]):
    """Who takes responsibility, and why: `NAME: REASON`."""

    name = "sign-off"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name, _, reason = str(value).partition(":")
        if not name.strip() or not reason.strip():
            self.fail(
                "a signature is a name and a reason, for example 'Ada Byron: twice the cost, half the tickets'.", param, ctx
            )
        return f"{name.strip()}: {reason.strip()}"


class Condition(click.ParamType[tuple[str, str]]):
    """`NAME=VALUE`: the cases of this task or slice."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, _, wanted = str(value).partition("=")
        if not name or not wanted:
            self.fail(f"{str(value)[:80]!r} is no NAME=VALUE. For example: --where task=refund", param, ctx)
        return name, wanted


class Role(click.ParamType[tuple[str, str]]):
    """`LABELER=ROLE`: whether people, a judge model or a rule gave these labels."""

    name = "labeler=role"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        from segue.scoring.label_roles import ROLES

        if isinstance(value, tuple):
            return value
        labeler, _, role = str(value).rpartition("=")
        if not labeler or role not in ROLES:
            self.fail(
                f"{str(value)[:80]!r} is no LABELER=ROLE, with one of {', '.join(ROLES)}. For example: --role ada=human",
                param,
                ctx,
            )
        return labeler, role


class Money(click.ParamType[float]):
    """An amount in US dollars: `5usd`, `$5`, `0.50`. Becomes millionths of a dollar."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"\$?\s*(\d+(?:\.\d+)?)\s*(?:usd|USD|\$)?", str(value).strip(), re.ASCII)
        if match is None or float(match.group(1)) <= 0:
            self.fail(f"'{value}' is not an amount of money. Write it as 5usd or 0.50usd.", param, ctx)
        return float(match.group(1)) * 1e6


class Numbers(click.ParamType[frozenset[int]]):
    """Whole numbers from 0: `0`, `0,2`, `0-3`."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[int]:
        if isinstance(value, frozenset):
            return value
        numbers: set[int] = set()
        for word in str(value).split(","):
            match = re.fullmatch(r"\s*(\d{1,6})(?:-(\d{1,6}))?\s*", word, re.ASCII)
            if match is None or int(match.group(2) or match.group(1)) < int(match.group(1)):
                self.fail(f"'{value}' is no list of repeats. Write it as 0, 0,2 or 0-3.", param, ctx)
            numbers.update(range(int(match.group(1)), int(match.group(2) or match.group(1)) + 1))
        return frozenset(numbers)
