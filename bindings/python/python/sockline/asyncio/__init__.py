"""Coroutines on asyncio, with the API of ``websockets.asyncio``."""
