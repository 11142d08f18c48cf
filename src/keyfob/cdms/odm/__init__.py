"""CDISC ODM: documents to values, values checked against a study's design, values to XSD-valid documents."""
