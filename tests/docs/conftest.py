"""The page on PostgreSQL runs against a real one."""

from databases import new_postgresql, postgresql  # noqa: F401  # fixtures
