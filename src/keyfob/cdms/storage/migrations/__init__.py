"""The way to the newest schema, one step a file. A step that has been released is never changed.

A step that only adds (a table, a column that may be empty or has a default, an index) says nothing: programs of the
version before go on beside it, also when they are started anew. Any other step sets `least_schema` of `installation` to
its own revision: from then on they are refused, and whoever upgrades stops all nodes first.
"""
