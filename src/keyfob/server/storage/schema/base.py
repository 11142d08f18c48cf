"""What all tables of the server belong to."""

from keyfob.database import new_metadata

metadata = new_metadata()
