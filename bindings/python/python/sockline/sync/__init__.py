"""The API of ``websockets.sync``: connections that threads wait for."""
