"""The clinical database. SQL stands here and nowhere else in the API."""
