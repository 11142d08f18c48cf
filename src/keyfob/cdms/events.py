"""What an audit record says of values: one value, or a whole row of a dataset. Pure; both ways.

A record of a row has no item in its place, in `old` and `new` a `row` of item OID to value, with the `units` of those
that have one, and its `soft_checks` by item. Who reads records takes them value by value.
"""

from collections.abc import Iterable, Iterator, Mapping

from keyfob.cdms.odm.model import GroupData, ItemValue

Event = dict[str, object]


def write_place(data: GroupData, item: str | None) -> dict[str, str | None]:
    """`item` None: all of it."""
    return {
        "event": data.event,
        "event_repeat": data.event_repeat,
        "form": data.form,
        "form_repeat": data.form_repeat,
        "item_group": data.group,
        "item_group_repeat": data.group_repeat,
        "item": item,
    }


def write_value(item: ItemValue) -> dict[str, str | None]:
    return {"value": item.value, "unit": item.unit} if item.unit is not None else {"value": item.value}


def write_row(items: Iterable[ItemValue]) -> Event:
    units = {item.oid: item.unit for item in items if item.unit is not None}
    row: Event = {"row": {item.oid: item.value for item in items}}
    return {**row, "units": units} if units else row


def is_row(event: Mapping[str, object]) -> bool:
    new = event.get("new")
    return isinstance(new, dict) and "row" in new


def by_value(event: Event) -> Iterator[Event]:
    """The events of the items of a row, each as if it had been stored by itself; any other event as it is."""
    if not is_row(event):
        yield event
        return
    place, new, old = event["place"], _values(event.get("new")), _values(event.get("old"))
    assert isinstance(place, dict)
    soft = event.get("soft_checks")
    soft = soft if isinstance(soft, dict) else {}
    shared = {name: value for name, value in event.items() if name not in ("new", "old", "soft_checks")}
    for item, value in new.items():
        was = old.get(item)
        action = "insert" if was is None else "update" if value["value"] is not None else "remove"
        own: Event = {**shared, "action": action, "place": {**place, "item": item}}
        if item in soft:
            own["soft_checks"] = soft[item]
        if was is not None:
            own["old"] = was
        if action != "remove":
            own["new"] = value
        yield own


def _values(said: object) -> dict[str, dict[str, object]]:
    if not isinstance(said, dict):
        return {}
    row, units = said["row"], said.get("units", {})
    return {item: {"value": row[item], **({"unit": units[item]} if item in units else {})} for item in row}
