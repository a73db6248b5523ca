"""docs/gateway.md as a new user follows it: the commands and programs of the page, typed; then the mistakes one makes."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from segue.standin.settings import StandInSettings
from tests.gateway.clients.shop import StandIns, running_gateway, segue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PAGE = Path(__file__).parents[3] / "docs" / "gateway.md"
SECTION = PAGE.read_text(encoding="utf-8").split("## Five minutes, without a key\n")[1].split("\n## ")[0]
COMMANDS = [line for block in re.findall(r"```console\n(.*?)```", SECTION, flags=re.DOTALL) for line in block.splitlines()]
PROGRAMS: list[str] = re.findall(r"```python\n(.*?)```", SECTION, flags=re.DOTALL)
ENTRY: str = re.findall(r"```yaml\n(.*?)```", SECTION, flags=re.DOTALL)[0]
HOST, KEY = "http://127.0.0.1:8080", "sg-…"


def type_in(folder: Path, line: str) -> Path:
    """A line of the page in the user's shell; the folder it leaves one in."""
    for part in line.split("&&"):
        words = shlex.split(part)
        if words[0] == "cd":
            folder = folder / words[1]
        else:
            assert words[0] == "segue", f"the page types {words[0]}, and this test cannot"
            done = segue(folder, *words[1:])
            assert done.returncode == 0, done.stderr
    return folder


@dataclass(frozen=True)
class Ran:
    """What a program printed, and the error it ended in."""

    printed: str
    raised: str = ""


def run(program: str, url: str, key: str) -> Ran:
    """A program of the page, with the address and the key the gateway showed; the SDK makes no second try."""
    text = program.replace(HOST, url).replace(KEY, key).replace("api_key=", "max_retries=0, api_key=", 1)
    names: dict[str, Any] = {}
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(text, PAGE.name, "exec"), names)
    except (openai.OpenAIError, anthropic.AnthropicError) as error:
        kind = type(error)
        return Ran(printed.getvalue(), f"{kind.__module__.partition('.')[0]}.{kind.__name__}: {error}")
    finally:
        names["client"].close()
    return Ran(printed.getvalue())


def until_said(root: Path, text: str) -> str:
    """What the gateway has said, once it has said this; never is what the test's time-out is for."""
    while text not in (said := (root / "gateway.log").read_text(encoding="utf-8")):
        pass
    return said


@dataclass(frozen=True)
class NewUser:
    """A user who has followed the page up to a running gateway."""

    root: Path
    url: str
    key: str


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewUser]:
    """The page's commands, one after another."""
    install, *typed, last = COMMANDS
    assert install.startswith("pip install 'segue-ai[serve]'")
    assert last == "segue gateway"
    folder = tmp_path_factory.mktemp("five-minutes")
    for line in typed:
        folder = type_in(folder, line)
    with running_gateway(folder) as told:
        yield NewUser(folder, told["url"], told["key"])


@pytest.mark.parametrize("program", PROGRAMS, ids=["openai", "anthropic"])
def test_the_programs_of_the_page_print_what_the_page_says(user: NewUser, program: str) -> None:
    """As they stand there, but for address and key."""
    assert HOST in program
    assert KEY in program
    done = run(program, user.url, user.key)
    assert not done.raised
    said = json.loads(done.printed)
    assert said.keys() == {"topic", "reply"}
    shown = re.findall(r'`(\{"topic".*?)…', SECTION)
    assert shown
    assert done.printed.startswith(shown[0].rstrip())


def test_the_gateway_says_where_it_is_and_shows_a_key(user: NewUser) -> None:
    """What the page promises of its output."""
    said = until_said(user.root, "OpenAI clients: base URL")
    assert f"Serving production on {user.url}" in said
    assert f"  {user.key}\n" in said
    assert "valid until the gateway ends" in said


MISTAKES = {
    "a wrong key": ((KEY, "sg-wrong"), "AuthenticationError", "segue gateway key NAME makes one"),
    "a misspelt workflow": (("support-reply", "suport-reply"), "NotFoundError", "Did you mean 'support-reply'?"),
    "another name altogether": (("support-reply", "gpt-4"), "NotFoundError", "This key may call: support-reply."),
    "no variable": (("extra_body=", "extra_query="), "BadRequestError", '"segue": {"variables": {"company": "…"}}'),
    "a temperature": (("model=", "temperature=0.1, model="), "BadRequestError", "serving.may_set"),
    "an address without /v1": (("8080/v1", "8080"), "NotFoundError", "The base URL of OpenAI's clients ends in /v1."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_program_is_told_with_its_remedy(user: NewUser, mistake: str) -> None:
    """By the SDK's own error."""
    (old, new), kind, remedy = MISTAKES[mistake]
    assert old in PROGRAMS[0]
    done = run(PROGRAMS[0].replace(old, new), user.url, user.key)
    assert done.raised.startswith(f"openai.{kind}: ")
    assert remedy in done.raised


def test_an_address_with_v1_too_many_is_told(user: NewUser) -> None:
    """Anthropic's SDK adds it itself."""
    done = run(PROGRAMS[1].replace("8080", "8080/v1"), user.url, user.key)
    assert "The base URL of Anthropic's clients is without /v1." in done.raised


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("route", "set", "support-replay", "current"), "Did you mean 'support-reply'?"),
        (("route", "set", "support-reply", "curent"), "Did you mean 'current'?"),
        (("route", "flip", "support-reply", "--share", "5%"), "--candidate BUNDLE"),
        (("gateway", "--host", "0.0.0.0"), "segue gateway key NAME"),
    ],
    ids=["workflow", "bundle", "no candidate", "open to all"],
)
def test_a_mistake_in_a_command_is_told_with_its_remedy(user: NewUser, words: tuple[str, ...], remedy: str) -> None:
    """No traceback, and what to type instead."""
    done = segue(user.root, *words)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert remedy in done.stderr


def test_a_port_that_is_taken_is_told_with_another(user: NewUser) -> None:
    """Before anything is started."""
    done = segue(user.root, "gateway", "--port", user.url.rpartition(":")[2])
    assert (done.returncode, "--port 0" in done.stderr, "Traceback" in done.stderr) == (1, True, False)


def test_a_workflow_without_a_route_says_how_to_give_it_one(tmp_path: Path) -> None:
    """Both where the gateway starts and where it is asked; set while it runs, it is served."""
    assert segue(tmp_path, "init", ".").returncode == 0
    with running_gateway(tmp_path) as told:
        until_said(tmp_path, "segue route set WORKFLOW BUNDLE")
        assert "segue route set WORKFLOW BUNDLE" in run(PROGRAMS[0], told["url"], told["key"]).raised
        assert segue(tmp_path, "route", "set", "support-reply", "current").returncode == 0
        assert not run(PROGRAMS[0], told["url"], told["key"]).raised


def _point_to(root: Path, **entry: str) -> None:
    """The entry of the page in the place of the simulated one, with these fields changed."""
    text = ENTRY
    for name, value in entry.items():
        text, count = re.subn(rf"(?m)^( +{name}: ).*$", rf"\g<1>{value}", text)
        assert count == 1, f"the page's entry has no {name}"
    rest = (root / "segue.yaml").read_text(encoding="utf-8").split("\n# Prices of your own", 1)
    head = rest[0].split("providers:\n", 1)[0]
    (root / "segue.yaml").write_text(f"{head}{text}\n# Prices of your own{rest[1]}", encoding="utf-8")


def test_to_go_to_another_provider_changes_its_address_and_its_key_alone(tmp_path: Path) -> None:
    """From one server to the next, each with a key of its own: the page's programs and the bundle stay as they are."""
    stand_ins = StandIns()
    try:
        _, first = stand_ins.start(StandInSettings(text="The first one.", key="sk-first"))
        _, second = stand_ins.start(StandInSettings(text="The second one.", key="sk-second"))
        assert segue(tmp_path, "init", ".").returncode == 0
        assert segue(tmp_path, "route", "set", "support-reply", "current").returncode == 0
        before = (tmp_path / "workflows/support-reply/bundles/current.yaml").read_bytes()
        answers = []
        for variable, key, address in (("FIRST_KEY", "sk-first", first), ("SECOND_KEY", "sk-second", second)):
            _point_to(tmp_path, base_url=address, api_key_env=variable)
            with running_gateway(tmp_path, environ={variable: key}) as told:
                done = [run(program, told["url"], told["key"]) for program in PROGRAMS]
            answers.append([one.printed.strip() or one.raised for one in done])
        assert answers == [["The first one."] * 2, ["The second one."] * 2]
        assert (tmp_path / "workflows/support-reply/bundles/current.yaml").read_bytes() == before
        assert "sk-" not in (tmp_path / "gateway.log").read_text(encoding="utf-8")
    finally:
        stand_ins.close()


def test_a_key_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    """By the check, and by a gateway that has nothing else to serve."""
    assert segue(tmp_path, "init", ".").returncode == 0
    assert segue(tmp_path, "route", "set", "support-reply", "current").returncode == 0
    _point_to(tmp_path, api_key_env="NOT_SET_ANYWHERE")
    checked = segue(tmp_path, "check")
    assert "export NOT_SET_ANYWHERE=" in checked.stdout + checked.stderr
    started = segue(tmp_path, "gateway", "--port", "0")
    assert started.returncode == 1
    assert "export NOT_SET_ANYWHERE=" in started.stderr
    assert "Traceback" not in started.stderr
