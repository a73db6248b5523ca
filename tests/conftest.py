"""Fixtures every test may use, how tests are named, and the order they start in."""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.thorough import IS_THOROUGH

pytest_plugins = ["tests.recorded.workspace"]

settings.register_profile("fast", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("SEGUE_HYPOTHESIS", "fast"))

ROOT = Path(__file__).parent.parent
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")


def pytest_configure(config: pytest.Config) -> None:
    """One certificate authority in the place of all. Every client of an SDK reads them anew, seventy milliseconds each time.

    Nothing here is asked over TLS but what a test itself serves, with an authority of its own.
    """
    import certifi

    mark = "-----END CERTIFICATE-----\n"
    first, found, _ = Path(certifi.where()).read_text(encoding="utf-8").partition(mark)
    folder, patch = TemporaryDirectory(prefix="segue-tests-"), pytest.MonkeyPatch()
    path = Path(folder.name) / "authority.pem"
    path.write_text(first + found, encoding="utf-8")
    patch.setenv("SSL_CERT_FILE", str(path))
    config.add_cleanup(patch.undo)
    config.add_cleanup(folder.cleanup)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes that are no short plain text are named by number: packed ones hold the time they were packed at.

    Every worker names the tests for itself, and a run ends at once where the names differ.
    """
    is_plain = isinstance(val, bytes) and len(val) <= 60 and val.isascii() and val.decode("ascii").isprintable()
    return argname if isinstance(val, bytes | bytearray) and not is_plain else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadgroup` groups by the table of `tests/scheduling.py`."""
    if config.getoption("dist") != "loadgroup":
        return None
    from tests.scheduling import TogetherScheduling

    return TogetherScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse names that differ from run to run; begin with what takes long, so that no worker is left with it at the end."""
    unstable = [item.nodeid for item in items if _ADDRESS.search(item.nodeid)]
    if unstable:
        raise pytest.UsageError(f"Give these parameters ids of their own, their names hold an address: {', '.join(unstable)}")
    if not IS_THOROUGH:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("thorough")])
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
    items.sort(key=_begins)


def _begins(item: pytest.Item) -> tuple[bool, float]:
    timeout = item.get_closest_marker("timeout")
    return item.get_closest_marker("slow") is None, -float(timeout.args[0] if timeout and timeout.args else 0)


@pytest.fixture(scope="session")
def segue_data() -> Path:
    """The folder of recorded upgrades; the test is skipped where it is absent."""
    path = Path(os.environ.get("SEGUE_DATA", ROOT.parent / "shared" / "data"))
    if not (path / "llmdrift" / "cases.jsonl.gz").exists():
        pytest.skip("The recorded upgrades are not here. Set SEGUE_DATA to their folder to run this test.")
    return path
