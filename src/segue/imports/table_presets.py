"""Column mappings of published tables, by name."""

from __future__ import annotations

from collections.abc import Mapping

from segue.errors import NotFoundError
from segue.imports.table_mapping import TableMapping

LLMDRIFT = TableMapping(
    case_id=("dataset", "id"),
    input="query",
    reference="ref_answer",
    task="dataset",
    release="model",
    release_prefix="openaichat/",
    params=("temperature", "max_tokens"),
    repeat="trail",
    output="answer",
    latency="latency",
    cost="cost",
    output_tokens="answer_token",
    at="timestamp",
    labels={
        "authors:answered": "Answer Rate",
        "leetcode:submission": "Code_Submit",
        "leetcode:directly_usable": "Directly Usable",
    },
    clashing_ids="number",
    required=("case_id", "input", "release", "output"),
)
"""The files under `generation/` of the LLMDrift repository (one task each; some columns stand only in some of them).

`trail` is the number of the trial. In the opinion survey three ids stand for five questions each, so clashing ids are numbered.
"""

PRESETS: Mapping[str, TableMapping] = {"llmdrift": LLMDRIFT}


def preset(name: str) -> TableMapping:
    """The mapping of this name. `NotFoundError` names the near ones."""
    if name not in PRESETS:
        raise NotFoundError.naming("table preset", name, PRESETS, fix="Or write a mapping of the columns.")
    return PRESETS[name]
