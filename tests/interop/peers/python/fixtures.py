"""What both ends of a test know. fixtures.js has the same."""

# Lengths at which the frame header or the peers' buffers change, in bytes.
SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 1024**2, 16 * 1024**2]

# Two, three and four bytes a character, so that fragments end within characters.
FRAGMENTED_TEXT = "κόσμε €😀 " * 1000

# Bytes of payload in a fragment.
FRAGMENT = 999

# How many connections are open at once.
CONNECTIONS = 1000

# A text that gets much shorter when it is compressed.
PADDING = "x" * 65_536

# The largest message that the Python peers take, in bytes; their library's default is 1 MiB.
MAX_SIZE = 64 * 1024**2


def pattern(size: int) -> bytes:
    """`size` bytes in which a lost, repeated or moved block shows: 251 is prime to every block size."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def agreed(ws) -> dict[str, str]:
    """What was agreed on for a connection of websockets."""
    tls = ws.transport.get_extra_info("ssl_object")
    extensions = ", ".join(extension.name for extension in ws.protocol.extensions)
    return {"extensions": extensions, "tls": tls.version() if tls else ""}


def allow_many_files() -> None:
    """Raises the soft limit of open descriptors, often 1,024, to the hard one, as Node does by itself."""
    import resource

    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
