"""The statements of every request, made and rendered once: either takes longer than to run one."""

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from keyfob.cdms.storage import schema
from keyfob.prepared import Prepared


def _new(*names: str) -> dict[str, sa.BindParameter[object]]:
    """A value for each of these columns, by the name of `new_` and the column's."""
    return {name: sa.bindparam(f"new_{name}") for name in names}


_SITE = schema.site.c
AT_CLOSED_SITE = (
    sa.exists()
    .where(_SITE.study == schema.subject.c.study, _SITE.oid == schema.subject.c.site, _SITE.closed_at.is_not(None))
    .correlate(schema.subject)
    .label("at_closed_site")
)
_STUDIES, _SUBJECTS = sa.select(schema.study), sa.select(schema.subject, AT_CLOSED_SITE)
STUDY_BY = {
    name: Prepared(_STUDIES.where(schema.study.c[name] == sa.bindparam("wanted"))) for name in ("path_key", "oid")
}
SUBJECT_BY = {
    name: Prepared(
        _SUBJECTS.where(schema.subject.c.study == sa.bindparam("of"), schema.subject.c[name] == sa.bindparam("wanted"))
    )
    for name in ("id", "key", "key_folded")
}
PLACE = ("event", "event_repeat", "form", "form_repeat", "oid", "oid_repeat")
GROUP_AT = Prepared(
    sa.select(schema.item_group).where(
        schema.item_group.c.subject == sa.bindparam("of"), *(schema.item_group.c[n] == sa.bindparam(n) for n in PLACE)
    )
)
ITEMS_OF = Prepared(
    sa.select(schema.item_value)
    .where(schema.item_value.c.item_group == sa.bindparam("row"))
    .order_by(schema.item_value.c.seq)
)
_VERSION = schema.metadata_version.c
SHA256_OF = Prepared(
    sa.select(_VERSION.sha256).where(_VERSION.study == sa.bindparam("of"), _VERSION.oid == sa.bindparam("wanted"))
)
_ANSWER = schema.answer.c
ANSWER_TO = Prepared(
    sa.select(schema.answer).where(_ANSWER.client_id == sa.bindparam("client"), _ANSWER.key == sa.bindparam("wanted"))
)

TAKE_STUDY = Prepared(
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
END_STUDY = Prepared(
    sa.update(schema.study).where(schema.study.c.oid == sa.bindparam("wanted")).values(_new("seq", "head"))
)
INSERT_SUBJECT = Prepared(sa.insert(schema.subject))
INSERT = {table: sa.insert(table) for table in (schema.item_group, schema.item_value, schema.audit)}
SQLITE_INSERT = {table: str(insert.compile(dialect=sqlite.dialect())) for table, insert in INSERT.items()}
"""The same with a question mark for each column, in the order of the table."""
_MADE = schema.item_group.c.id
LAST_GROUP = Prepared(sa.select(sa.func.max(_MADE).label("id")))
INSERT_GROUPS = sa.insert(schema.item_group).returning(_MADE, sort_by_parameter_order=True)
INSERT_GROUP = Prepared(
    sa.insert(schema.item_group)
    .values(_new(*(column.name for column in schema.item_group.c if column is not _MADE)))
    .returning(_MADE)
)
UPDATE_GROUP = Prepared(
    sa.update(schema.item_group)
    .where(schema.item_group.c.id == sa.bindparam("row"), schema.item_group.c.version == sa.bindparam("seen"))
    .values(_new("version", "removed", "metadata_version"))
)
_HERE = (schema.item_value.c.item_group == sa.bindparam("row")) & (schema.item_value.c.oid == sa.bindparam("item"))
UPDATE_ITEM = Prepared(sa.update(schema.item_value).where(_HERE).values(_new("value", "unit", "seq")))
DELETE_ITEM = Prepared(sa.delete(schema.item_value).where(_HERE))
_OVER = sa.select(_ANSWER.client_id, _ANSWER.key).where(_ANSWER.at < sa.bindparam("before"))
FORGET_ANSWERS = Prepared(
    # Those that another forgets are left to it.
    sa.delete(schema.answer).where(
        sa.tuple_(_ANSWER.client_id, _ANSWER.key).in_(_OVER.with_for_update(skip_locked=True))
    )
)
INSERT_ANSWER = Prepared(sa.insert(schema.answer))
