"""Reads members of a zip archive one at a time, Zstandard among the compressions, and never more than a bound.

Python's own `zipfile` knows Zstandard from version 3.14 on; before that the package `zstandard` unpacks it.
"""

from __future__ import annotations

import importlib
import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from segue.errors import InputError

ZSTANDARD = 93
"""The compression method's number (APPNOTE 6.3.8)."""

MAX_MEMBER_BYTES = 2**30

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


class DamagedMemberError(InputError):
    """A member whose bytes cannot be had: cut off, changed, or larger than allowed."""


class ZipMembers:
    """An archive opened for reading. Its directory is held in memory (about 500 bytes per member), its members are not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._raw: BinaryIO = path.open("rb")
        except OSError as error:
            raise InputError(
                f"{path} cannot be opened: {error.strerror}.", fix="Check the path and its permissions."
            ) from error
        try:
            self._zip = zipfile.ZipFile(self._raw)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            self._raw.close()
            raise InputError(f"{path} is no zip archive, or it is cut off.", fix="Copy or export it again.") from error
        # A name may stand there twice, where a log was appended to: the last one counts, as for every zip reader.
        self._members = {member.filename: member for member in self._zip.infolist()}
        self.names = list(self._members)

    def __enter__(self) -> ZipMembers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._zip.close()
        self._raw.close()

    def read(self, name: str) -> bytes:
        """The bytes of member `name`, checked against its checksum.

        `DamagedMemberError` where they cannot be had; `InputError` for a compression that is not known here.
        """
        member = self._members[name]
        if member.file_size > MAX_MEMBER_BYTES:
            raise DamagedMemberError(f"It is larger than {MAX_MEMBER_BYTES // 2**30} GB.", fix="Leave it out of the archive.")
        try:
            if member.compress_type in _PLAIN:
                return self._zip.read(member)
            if member.compress_type == ZSTANDARD:
                return self._unpack_zstandard(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, ValueError, RuntimeError) as error:
            raise DamagedMemberError("It is damaged.", fix="Copy or export the archive again.") from error
        raise InputError(
            f"{self._path} uses compression method {member.compress_type}, which is not known.",
            fix="Write the archive again with deflate.",
        )

    def _unpack_zstandard(self, member: zipfile.ZipInfo) -> bytes:
        try:
            zstandard = importlib.import_module("zstandard")
        except ImportError as error:
            raise InputError(
                f"{self._path} is packed with Zstandard, and the package that unpacks it is not installed here.",
                fix="pip install zstandard",
            ) from error
        self._raw.seek(member.header_offset)
        magic, name_length, extra_length = _LOCAL_HEADER.unpack(self._raw.read(_LOCAL_HEADER.size))
        if magic != b"PK\x03\x04":
            raise zipfile.BadZipFile
        self._raw.seek(name_length + extra_length, 1)
        packed = self._raw.read(member.compress_size)
        try:
            with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as unpacked:
                value: bytes = unpacked.read(member.file_size + 1)
        except zstandard.ZstdError as error:
            raise zipfile.BadZipFile from error
        if len(value) != member.file_size or zlib.crc32(value) != member.CRC:
            raise zipfile.BadZipFile
        return value
