"""Whatever bytes stand in whatever file: the check says what is wrong, and never breaks."""

from __future__ import annotations

import gzip
import json
import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segue.errors import SegueError
from segue.workspace import init_workspace
from segue.workspace.text_file import Root
from tests.workspace.builders import BUNDLE, CONFIG, WORKFLOW, Team, a_case, lines

FILES = {
    "segue.yaml": CONFIG,
    "workflow.yaml": WORKFLOW + "slices: {lang: {values: [de, en], critical: [de]}}\nincumbent: now\n",
    "bundles/now.yaml": BUNDLE
    + "prompt: {system: prompts/a.md, template: '{{input}}'}\ntools: tools.json\ncontract: {json_schema: contract.json}\n",
    "prompts/a.md": "Be kind to {{name}}.\n",
    "tools.json": '[{"name": "a", "parameters": {"type": "object"}}]',
    "contract.json": '{"type": "object", "properties": {"a": {"type": "string"}}}',
    "suites/main.jsonl": lines(*(a_case(f"c-{n}", slice={"lang": "de"}, variables={"name": "x"}) for n in range(5))),
}

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
# fmt: off
_snippets = st.sampled_from([
    "{", "}", "[", "]", ":", "-", "&a ", "*a", "!x ", '"', "'", "|", ">", "#", "? ",
    "<<: ", "%YAML 1.1\n", "---\n", "\n", "\t", "  ", "- ",
    "case_id", "slice", "null", "true", "1e999", "NaN", "\\ud800", "{{", "}}",
    "\x00", "\ufeff", "é", "name: ", "a: 1\n", "scorers: ",
])
# fmt: on


@st.composite
def damage(draw: st.DrawFn, content: bytes) -> bytes:
    """A file cut, spliced or replaced: near to what is right, where the readers have most to decide."""
    kind = draw(st.sampled_from(["bytes", "cut", "splice", "json", "swap"]))
    if kind == "bytes":
        return draw(st.binary(max_size=60))
    if kind == "json":
        return json.dumps(draw(_json)).encode()
    at = draw(st.integers(0, len(content)))
    if kind == "cut":
        return content[:at]
    if kind == "swap":
        until = draw(st.integers(at, min(at + 12, len(content))))
        return content[:at] + "".join(draw(st.lists(_snippets, max_size=4))).encode("utf-8", "surrogatepass") + content[until:]
    return content[:at] + draw(st.binary(max_size=4)) + content[at:]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Team:
    team = Team(tmp_path_factory.mktemp("whole"))
    for name, content in FILES.items():
        team.write(name, content)
    assert team.said("error") == []
    return team


def survives(whole: Team, name: str, content: bytes) -> None:
    """Check and load agree on a workspace whose file `name` has this content, and neither breaks."""
    whole.write(name, content)
    try:
        faults = whole.check()
        for fault in faults:
            assert fault.file
            assert fault.what.strip()
            assert fault.fix.strip()
            assert fault.sentence().isprintable()
            assert json.dumps(fault.as_json()).encode()
        raised: SegueError | None = None
        try:
            workspace = whole.load()
            workspace.load_workflow("mail")
            workspace.load_bundle_source("mail", "now")
            list(workspace.iter_suite("mail", "main"))
        except SegueError as error:
            raised = error
        if raised is not None:
            assert raised.faults
            assert any(fault.severity == "error" for fault in faults)
    finally:
        whole.write(name, FILES[name])


@settings(max_examples=25)
@given(data=st.data())
def test_the_check_never_breaks_and_every_fault_has_a_file_and_a_fix(whole: Team, data: st.DataObject) -> None:
    """For a few files with a few of the ways they break."""
    name = data.draw(st.sampled_from(list(FILES)))
    survives(whole, name, data.draw(damage(FILES[name].encode())))


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=200)
@given(data=st.data())
def test_no_file_breaks_the_check(whole: Team, name: str, data: st.DataObject) -> None:
    """For each file with many."""
    survives(whole, name, data.draw(damage(FILES[name].encode())))


@settings(max_examples=15)
@given(st.binary(max_size=200))
@example(gzip.compress(b"{}")[:15])
def test_a_gzipped_suite_of_any_bytes_is_read_or_explained(whole: Team, content: bytes) -> None:
    """Damage in the middle of the stream included."""
    whole.write("suites/other.jsonl.gz", gzip.compress(b'{"case_id": "x"}\n' * 50)[:-8] + content)
    try:
        assert all(fault.file and fault.fix for fault in whole.check())
    finally:
        whole.path("suites/other.jsonl.gz").unlink()


@pytest.mark.parametrize("name", [*FILES, "bundles", "prompts", "suites"])
def test_a_folder_a_dead_link_or_nothing_in_a_files_place_is_a_fault(team: Team, name: str) -> None:
    """Checkouts break in many ways."""
    for file, content in FILES.items():
        team.write(file, content)
    path = team.path(name)
    kept = path.with_name("kept")
    path.rename(kept)
    assert all(fault.fix for fault in team.check())
    path.symlink_to(team.root / "nowhere")
    assert all(fault.fix for fault in team.check())
    path.unlink()
    if kept.is_dir():
        path.write_text("a file")
    else:
        path.mkdir()
    assert all(fault.fix and fault.file for fault in team.check())


def test_a_pipe_in_a_files_place_does_not_hang(team: Team) -> None:
    """Reading one would wait for ever."""
    os.mkfifo(team.path("bundles/pipe.yaml"))
    assert "bundles/pipe.yaml: This is not a regular file. Put a plain file in its place." in team.said("error")


def test_names_that_are_no_text_can_be_shown(team: Team) -> None:
    """File systems take any bytes for a name; terminals do not."""
    (team.root / "workflows/mail/prompts").mkdir()
    (team.root / "workflows/mail/prompts" / b"\xff.md".decode("utf-8", "surrogateescape")).write_text("x")
    assert all(one.encode() for one in team.said())
    assert Root(team.root).shown(team.root / "a\nb") == "a�b"


def test_the_starter_survives_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each of its files emptied in turn is a fault of that file or of what names it."""
    root = tmp_path_factory.mktemp("starter")
    from segue.workspace import check_workspace

    for path in init_workspace(root):
        content = path.read_bytes()
        path.write_bytes(b"")
        faults = check_workspace(root, {})
        assert path.name == ".gitignore" or len(faults) > 1 or faults[0].severity == "error", path
        path.write_bytes(content)
