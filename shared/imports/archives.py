"""Error messages about ZIP archives, for their sender."""

import zipfile
import zlib

UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError)
"""The errors that `zipfile` raises for an archive that cannot be read."""


def why_unreadable(error: Exception) -> str:
    """Return why an archive, or a file in it, cannot be read."""
    if isinstance(error, NotImplementedError):
        return "it is packed in a way that is not taken"
    if isinstance(error, RuntimeError):
        return "it is encrypted"
    return "it is damaged"
