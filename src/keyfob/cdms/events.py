"""What an audit record says of several values at once, value by value. Pure: a record's event in, events out."""

from collections.abc import Iterator, Mapping

Event = dict[str, object]


def is_row(event: Mapping[str, object]) -> bool:
    """Whether it is of a whole row of a dataset: `place.item` is null, and `new` has what each item became."""
    new = event.get("new")
    return isinstance(new, dict) and "row" in new


def items_of(event: Event) -> Iterator[tuple[str, Event]]:
    """The items of a row, each with an event of its own, as if it had been stored by itself."""
    place, new, old = event["place"], _values(event.get("new")), _values(event.get("old"))
    assert isinstance(place, dict)
    shared = {name: value for name, value in event.items() if name not in ("new", "old")}
    for item, value in new.items():
        was = old.get(item)
        action = "insert" if was is None else "update" if value["value"] is not None else "remove"
        own: Event = {**shared, "action": action, "place": {**place, "item": item}}
        if was is not None:
            own["old"] = was
        if action != "remove":
            own["new"] = value
        yield item, own


def _values(said: object) -> dict[str, dict[str, object]]:
    if not isinstance(said, dict):
        return {}
    row, units = said["row"], said.get("units", {})
    return {item: {"value": row[item], **({"unit": units[item]} if item in units else {})} for item in row}
