"""The one exception the host shows to its clients."""


class HostError(Exception):
    """A request cannot be carried out; the text is the one the daemon gives in the same case."""


class StorageError(HostError):
    """The disk does not take what has to be kept; the text says why."""
