"""What the server keeps. SQL stands in this package only; everyone else sees records."""
