"""The JSON twin of ODM as schemas: see keyfob.cdms.shapes."""

from collections.abc import Mapping

Schema = Mapping[str, object]

_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 256}
_TRANSACTION: Schema = {"enum": ["Insert", "Update", "Upsert", "Remove", "Context"]}
_AUDIT: Mapping[str, Schema] = {
    "reasonForChange": {"type": "string", "description": "Why a value is changed or removed."},
    "userRef": {},
    "locationRef": {},
    "dateTimeStamp": {},
    "sourceID": {},
}


def _closed(properties: Mapping[str, Schema], *required: str) -> Schema:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **needed}


def _level(properties: Mapping[str, Schema], *required: str) -> Schema:
    common = {"transactionType": _TRANSACTION, "auditRecord": _closed(_AUDIT)}
    return _closed({**properties, **common}, *required)


def _several(schema: Schema, **more: object) -> Schema:
    return {"type": "array", "items": schema, **more}


_ITEM = _level(
    {
        "itemOID": _NAME,
        "value": {"type": "string", "description": "A text also where it is a number: 39.0 stays 39.0."},
        "isNull": {"const": "Yes"},
        "measurementUnitRef": _closed({"measurementUnitOID": _NAME}, "measurementUnitOID"),
    },
    "itemOID",
)
_GROUP = _level({"itemGroupOID": _NAME, "itemGroupRepeatKey": _NAME, "itemData": _several(_ITEM)}, "itemGroupOID")
_FORM = _level({"formOID": _NAME, "formRepeatKey": _NAME, "itemGroupData": _several(_GROUP)}, "formOID")
_EVENT = _level({"studyEventOID": _NAME, "studyEventRepeatKey": _NAME, "formData": _several(_FORM)}, "studyEventOID")
_SUBJECT = _level(
    {
        "subjectKey": _NAME,
        "siteRef": _closed({"locationOID": _NAME}, "locationOID"),
        "studyEventData": _several(_EVENT),
    },
    "subjectKey",
)
_CLINICAL = _closed(
    {"studyOID": _NAME, "metaDataVersionOID": _NAME, "subjectData": _several(_SUBJECT)},
    "studyOID",
    "metaDataVersionOID",
)

ODM_SCHEMAS: Mapping[str, Schema] = {
    "OdmClinicalData": {
        **_closed(
            {
                "fileType": {"enum": ["Snapshot", "Transactional"]},
                "fileOID": _NAME,
                "clinicalData": _several(_CLINICAL, minItems=1, maxItems=1),
                **{
                    name: {}
                    for name in (
                        "creationDateTime", "odmVersion", "sourceSystem", "sourceSystemVersion", "originator",
                        "asOfDateTime", "priorFileOID", "granularity", "description",
                    )
                },
            },
            "fileOID",
            "clinicalData",
        ),
        "description": "ODM 1.3.2 with its names in lowerCamelCase and its lists as arrays.",
    },
    "OdmDesign": {
        "type": "object",
        "required": ["study"],
        "properties": {"study": {"type": "array"}},
        "description": "A design as ODM 1.3.2 has it, with its names in lowerCamelCase and its lists as arrays.",
    },
}  # fmt: skip
