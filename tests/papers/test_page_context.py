"""The templates' context is typed, and the templates use exactly that."""

from __future__ import annotations

import dataclasses
import inspect
from importlib.resources import files

from jinja2 import Environment, meta, nodes

from segue.papers import page as page_module
from segue.papers import page_confidence
from segue.papers.page import Page
from segue.papers.scale import Tick

OF_THE_PAGE_ITSELF = {"style", "script", "style_digest", "script_digest"}
OF_JINJA = {"loop", "first", "last", "index0", "index", "verdict", "critical", "bar", "card"}
TEMPLATES = {
    one.name: one.read_text(encoding="utf-8")
    for one in files("segue.papers").joinpath("templates").iterdir()
    if one.name.endswith(".j2") and not one.name.startswith(("plan.", "drift."))
}
"""The report's templates; the plan's page and the drift report have contexts of their own."""


def _trees() -> list[nodes.Template]:
    environment = Environment()
    return [environment.parse(text) for text in TEMPLATES.values()]


def test_templates_use_every_field_of_the_page_and_no_other_name() -> None:
    """A field nobody shows, or a name nobody fills, fails here and not in front of a reader."""
    used = set().union(*(meta.find_undeclared_variables(tree) for tree in _trees()))
    fields = {field.name for field in dataclasses.fields(Page)}
    assert used == fields | OF_THE_PAGE_ITSELF


def test_every_attribute_a_template_reads_is_a_declared_field() -> None:
    """Attributes of the typed values, whatever they are bound to in a loop."""
    types = [
        one for module in (page_module, page_confidence) for _, one in inspect.getmembers(module, dataclasses.is_dataclass)
    ]
    declared = {field.name for one in (*types, Tick) for field in dataclasses.fields(one)}
    read = {node.attr for tree in _trees() for node in tree.find_all(nodes.Getattr)}
    assert read - OF_JINJA - {"index"} <= declared


def test_every_declared_field_is_shown() -> None:
    """Nothing is worked out for a page that does not show it."""
    read = {node.attr for tree in _trees() for node in tree.find_all(nodes.Getattr)}
    unpacked = {name.name for tree in _trees() for name in tree.find_all(nodes.Name)}
    types = [one for _, one in inspect.getmembers(page_module, dataclasses.is_dataclass) if one is not Page]
    for one in types:
        for field in dataclasses.fields(one):
            assert field.name in read | unpacked, f"{one.__name__}.{field.name} is shown nowhere"


def test_no_template_turns_escaping_off() -> None:
    """Outputs are untrusted."""
    for name, text in TEMPLATES.items():
        assert "|safe" not in text.replace(" ", ""), name
        assert "autoescape" not in text, name
