"""What an import remembers of each case: its input digest, and which recordings of it were seen."""

from __future__ import annotations

_DIGEST_BYTES = 32
_BITS = 8


class CaseIndex:
    """About 200 bytes per case (id, number, digest) and one byte per case and release.

    The first eight repeats of a recording are bits; later ones are kept in sets, about 100 bytes each.
    All cases are added before the first recording is seen.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._digests = bytearray()
        self._seen: dict[str, bytearray] = {}
        self._late: dict[str, dict[int, set[int]]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, case_id: str, input_digest: str) -> bool:
        """False if there is a case of this id already; it stays."""
        number = self._numbers.setdefault(case_id, len(self._numbers))
        if number * _DIGEST_BYTES < len(self._digests):
            return False
        self._digests += bytes.fromhex(input_digest)
        return True

    def input_digest(self, case_id: str) -> str | None:
        """The input digest of a case, or `None` where there is no such case."""
        number = self._numbers.get(case_id)
        if number is None:
            return None
        start = number * _DIGEST_BYTES
        return self._digests[start : start + _DIGEST_BYTES].hex()

    def see(self, release: str, case_id: str, repeat: int) -> bool:
        """Note a recording of a known case. False if this release, case and repeat was seen before."""
        number = self._numbers[case_id]
        if repeat >= _BITS:
            late = self._late.setdefault(release, {}).setdefault(number, set())
            if repeat in late:
                return False
            late.add(repeat)
            return True
        seen = self._seen.get(release)
        if seen is None:
            seen = self._seen[release] = bytearray(len(self._numbers))
        bit = 1 << repeat
        if seen[number] & bit:
            return False
        seen[number] |= bit
        return True

    def is_seen(self, release: str, case_id: str, repeat: int | None) -> bool:
        """Whether a recording was seen: of this repeat, or of any where `repeat` is `None`."""
        number = self._numbers.get(case_id)
        if number is None:
            return False
        bits = self._seen[release][number] if release in self._seen else 0
        late = self._late.get(release, {}).get(number, set())
        if repeat is None:
            return bool(bits or late)
        return repeat in late if repeat >= _BITS else bool(bits & (1 << repeat))
