"""Runs a program on uvloop as it is: on_uvloop.py PROGRAM [argument]…"""

import asyncio
import runpy
import sys

import uvloop

del sys.argv[0]
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
runpy.run_path(sys.argv[0], run_name="__main__")
