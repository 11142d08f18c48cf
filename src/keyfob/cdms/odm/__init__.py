"""CDISC ODM 1.3.2: documents to values, values checked against a study's design, values to XSD-valid documents."""
