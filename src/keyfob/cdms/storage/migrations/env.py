"""How Alembic runs the steps: on the connection that `keyfob.database.upgrade` opened, in its one transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
