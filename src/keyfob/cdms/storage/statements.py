"""The statements of every request, made once: to make one takes longer than to run it."""

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from keyfob.cdms.storage import schema

_SITE = schema.site.c
AT_CLOSED_SITE = (
    sa.exists()
    .where(_SITE.study == schema.subject.c.study, _SITE.oid == schema.subject.c.site, _SITE.closed_at.is_not(None))
    .correlate(schema.subject)
    .label("at_closed_site")
)
_STUDIES, _SUBJECTS = sa.select(schema.study), sa.select(schema.subject, AT_CLOSED_SITE)
STUDY_BY = {name: _STUDIES.where(schema.study.c[name] == sa.bindparam("wanted")) for name in ("path_key", "oid")}
SUBJECT_BY = {
    name: _SUBJECTS.where(
        schema.subject.c.study == sa.bindparam("of"), schema.subject.c[name] == sa.bindparam("wanted")
    )
    for name in ("id", "key", "key_folded")
}
PLACE = ("event", "event_repeat", "form", "form_repeat", "oid", "oid_repeat")
GROUP_AT = sa.select(schema.item_group).where(
    schema.item_group.c.subject == sa.bindparam("of"), *(schema.item_group.c[n] == sa.bindparam(n) for n in PLACE)
)
ITEMS_OF = (
    sa.select(schema.item_value)
    .where(schema.item_value.c.item_group == sa.bindparam("row"))
    .order_by(schema.item_value.c.seq)
)
_VERSION = schema.metadata_version.c
SHA256_OF = sa.select(_VERSION.sha256).where(
    _VERSION.study == sa.bindparam("of"), _VERSION.oid == sa.bindparam("wanted")
)

TAKE_STUDY = (
    sa.select(
        schema.study,
        sa.select(schema.audit.c.at)
        .where(schema.audit.c.study == schema.study.c.oid, schema.audit.c.seq == schema.study.c.seq)
        .scalar_subquery()
        .label("last_at"),
    )
    .where(schema.study.c.oid == sa.bindparam("wanted"))
    .with_for_update(key_share=True, of=schema.study)
)
END_STUDY = (
    sa.update(schema.study)
    .where(schema.study.c.oid == sa.bindparam("wanted"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("seq", "head")})
)
INSERT_SUBJECT = sa.insert(schema.subject)
INSERT = {table: sa.insert(table) for table in (schema.item_value, schema.audit)}
SQLITE_INSERT = {table: str(insert.compile(dialect=sqlite.dialect())) for table, insert in INSERT.items()}
"""The same with a question mark for each column, in the order of the table."""
INSERT_GROUP = sa.insert(schema.item_group).returning(schema.item_group.c.id, sort_by_parameter_order=True)
UPDATE_GROUP = (
    sa.update(schema.item_group)
    .where(schema.item_group.c.id == sa.bindparam("row"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("version", "removed", "metadata_version")})
)
_HERE = (schema.item_value.c.item_group == sa.bindparam("row")) & (schema.item_value.c.oid == sa.bindparam("item"))
UPDATE_ITEM = (
    sa.update(schema.item_value)
    .where(_HERE)
    .values({name: sa.bindparam(f"new_{name}") for name in ("value", "unit", "seq")})
)
DELETE_ITEM = sa.delete(schema.item_value).where(_HERE)
