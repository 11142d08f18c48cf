"""CDISC Dataset-JSON 1.1: documents to rows, rows checked against a dataset, rows to documents."""
