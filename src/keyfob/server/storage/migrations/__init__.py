"""The way to the newest schema, one step a file. A step that has been released is never changed."""
