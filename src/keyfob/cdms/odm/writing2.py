"""ODM 2.0 documents out of values, streamed. A form is an item group in an event; values are elements."""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from keyfob.cdms.odm.model import NAMESPACES, UNIT_SYSTEM, Edition, GroupData, ItemValue, SubjectData
from keyfob.cdms.odm.writing import Head, quoted, repeat, snapshot

NAMESPACE = next(name for name, edition in NAMESPACES.items() if edition is Edition.V2)
_END = "</ItemGroupData>\n"


def write_clinical(head: Head, subjects: Iterable[SubjectData]) -> Iterator[bytes]:
    """See writing.write_clinical. The groups of a subject come with what they stand within, and each form together."""
    return snapshot(NAMESPACE, "2.0", head, subjects, _groups)


def _groups(groups: Iterable[GroupData]) -> Iterator[str]:
    opened: list[tuple[str, str | None]] = []
    for group in groups:
        wanted = _path(group)
        common = 0
        while common < min(len(opened), len(wanted)) and opened[common] == wanted[common]:
            common += 1
        yield _END * (len(opened) - common)
        for oid, key in wanted[common:]:
            yield f"<ItemGroupData ItemGroupOID={quoted(oid)}{repeat('ItemGroupRepeatKey', key)}>\n"
        for item in group.items:
            yield _item(item)
        opened = wanted
    yield _END * len(opened)


def _path(group: GroupData) -> list[tuple[str, str | None]]:
    """The item groups from the form down to this one, which may be the form itself."""
    path: list[tuple[str, str | None]] = [(group.form, group.form_repeat)]
    path += [(oid, None) for oid in group.within or ()]
    if group.group != group.form or group.group_repeat is not None:
        path.append((group.group, group.group_repeat))
    return path


def _item(item: ItemValue) -> str:
    start = f"<ItemData ItemOID={quoted(item.oid)}"
    unit = (
        ""
        if item.unit is None
        else f'<Annotation SeqNum="1"><Coding Code={quoted(item.unit)} System="{UNIT_SYSTEM}"/></Annotation>'
    )
    if item.value is None:
        return f'{start} IsNull="Yes">{unit}</ItemData>\n' if unit else f'{start} IsNull="Yes"/>\n'
    # XML 1.0 §2.11: a carriage return in text survives only as a character reference.
    return f"{start}><Value>{escape(item.value, {chr(13): '&#13;'})}</Value>{unit}</ItemData>\n"
