"""A record as the row that keeps it."""

from dataclasses import fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def row_of(record: "DataclassInstance") -> dict[str, Any]:
    """Every field that is a plain value."""
    return {
        field.name: value.value if isinstance(value := getattr(record, field.name), StrEnum) else value
        for field in fields(record)
    }
