"""The special functions of SciPy, imported when the first of them is called.

Importing them takes longer than most commands need for all else: `segue status` shows intervals and computes none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def _of_scipy(name: str) -> Callable[..., Any]:
    import scipy.special

    return getattr(scipy.special, name)  # type: ignore[no-any-return]


def _late(name: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        return _of_scipy(name)(*args)

    call.__name__ = name
    call.__doc__ = f"`scipy.special.{name}`."
    return call


bdtr = _late("bdtr")
betaincinv = _late("betaincinv")
betaln = _late("betaln")
gammaln = _late("gammaln")
log_ndtr = _late("log_ndtr")
ndtr = _late("ndtr")
ndtri = _late("ndtri")
stdtr = _late("stdtr")
stdtrit = _late("stdtrit")
xlog1py = _late("xlog1py")
xlogy = _late("xlogy")
