"""Bundles, and the labels that point at them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from segue.errors import TamperError
from segue.model import Bundle, short_id
from segue.store import chain
from segue.store.base import BundleRecord
from segue.store.encoding import check_texts, encode_json
from segue.store.refs import as_prefix, pick_digest
from segue.store.rules import no_bundle
from segue.store.sql.part import SqlPart
from segue.store.sql.schema import bundles, labels


class BundleTables(SqlPart):
    """Bundles are kept as the JSON they are digested from."""

    def add_bundle(self, bundle: Bundle, *, author: str, at: str) -> bool:
        check_texts(workflow=bundle.workflow)
        with self._db.write() as session:
            if session.core.execute(sa.select(bundles.c.id).where(bundles.c.digest == bundle.digest)).first():
                return False
            body = bundle.body()
            row = {"digest": bundle.digest, "workflow": bundle.workflow, "author": author, "at": at}
            session.core.execute(bundles.insert().values(id=session.next_id("bundles"), body=encode_json(body), **row))
            record = chain.bundle_record(body=body, **row)
            self._vouch(session, chain.BUNDLE_ADDED, bundle.digest, {"workflow": bundle.workflow}, record, author, at)
            return True

    def list_bundles(self, workflow: str) -> list[BundleRecord]:
        with self._db.read() as session:
            query = sa.select(bundles).where(bundles.c.workflow == workflow).order_by(bundles.c.id)
            return [self._bundle(row) for row in session.core.execute(query)]

    def find_bundle(self, workflow: str, ref: str) -> BundleRecord:
        with self._db.read() as session:
            pointers = self._labels_in(session.core, workflow)
            digest = pointers.get(ref)
            if digest is None:
                query = sa.select(bundles.c.digest).where(bundles.c.workflow == workflow)
                digests = [str(one) for one in session.core.execute(query).scalars()]
                prefix = as_prefix(ref)
                matches = [one for one in digests if prefix and one.startswith(prefix)]
                digest = pick_digest("bundle", ref, matches, [*pointers, *map(short_id, digests)])
            return self._get(session.core, digest)

    def get_bundle(self, digest: str) -> BundleRecord:
        with self._db.read() as session:
            return self._get(session.core, digest)

    def labels(self, workflow: str) -> dict[str, str]:
        with self._db.read() as session:
            return self._labels_in(session.core, workflow)

    def set_label(self, workflow: str, label: str, digest: str, *, author: str, at: str) -> str | None:
        check_texts(workflow=workflow, label=label)
        with self._db.write() as session:
            core = session.core
            query = sa.select(bundles.c.id).where(bundles.c.digest == digest, bundles.c.workflow == workflow)
            if core.execute(query).first() is None:
                raise no_bundle(digest, workflow)
            before = self._labels_in(core, workflow).get(label)
            if before == digest:
                return before
            if before is None:
                core.execute(labels.insert().values(workflow=workflow, label=label, digest=digest))
            else:
                pointer = (labels.c.workflow == workflow) & (labels.c.label == label)
                core.execute(labels.update().where(pointer).values(digest=digest))
            record = chain.label_record(workflow, label, digest)
            body = {"digest": digest, "before": before}
            self._vouch(session, chain.LABEL_MOVED, f"{workflow}/{label}", body, record, author, at)
            return before

    def _labels_in(self, core: sa.Connection, workflow: str) -> dict[str, str]:
        query = sa.select(labels.c.label, labels.c.digest).where(labels.c.workflow == workflow).order_by(labels.c.label)
        return {str(label): str(digest) for label, digest in core.execute(query)}

    def _get(self, core: sa.Connection, digest: str) -> BundleRecord:
        row = core.execute(sa.select(bundles).where(bundles.c.digest == digest)).first()
        if row is None:
            raise no_bundle(digest)
        return self._bundle(row)

    def _bundle(self, row: sa.Row[Any]) -> BundleRecord:
        """A bundle is its digest, so one that no longer has it is not handed out."""
        try:
            bundle = Bundle.model_validate(self._decoded(row.body, "bundle"))
        except ValueError:
            bundle = None
        if bundle is None or bundle.digest != row.digest:
            raise TamperError(
                f"The bundle {short_id(row.digest)} in {self._db.place} is not what its digest says.",
                fix="`segue log verify` says what was changed; restore the store from a backup.",
            )
        return BundleRecord(bundle, row.author, row.at)
