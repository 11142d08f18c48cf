"""A small study of our own making: its design and some data, both ODM 1.3.2. No person is behind any value."""
