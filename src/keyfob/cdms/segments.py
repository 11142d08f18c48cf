"""What may stand as one segment of a URL's path, and means the same to everybody who reads it. Pure."""


def is_segment(text: str) -> bool:
    """What is not is refused as a name and in every path: nobody could ask for it, or not for it alone."""
    return bool(text) and text.isprintable() and text not in (".", "..") and not set(text) & {"/", "\\"}
