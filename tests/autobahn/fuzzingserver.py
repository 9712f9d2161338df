# Python 2.7. The suite's fuzzing server, on a free port of 127.0.0.1: fuzzingserver.py SPEC
# Prints one line of JSON, {"port": ..., "cases": [...]}, once it listens; the suite's own chatter goes to stderr.

from autobahntestsuite import choosereactor  # installs the reactor, so it comes first
from autobahntestsuite import fuzzing
from twisted.internet import reactor
import json
import sys


def listen_on_loopback(factory, _context_factory):
    # The suite's listenWS takes every interface and a fixed port. The factory compares the Host header
    # with its port, so it is told the port that the kernel chose.
    listener = reactor.listenTCP(0, factory, interface='127.0.0.1')
    factory.port = factory.externalPort = listener.getHost().port
    announcements.write(json.dumps({'port': factory.port, 'cases': factory.specCases}) + '\n')
    announcements.flush()


announcements, sys.stdout = sys.stdout, sys.stderr
fuzzing.listenWS = listen_on_loopback
with open(sys.argv[1]) as spec:
    fuzzing.startServer(json.load(spec), webport=0)
reactor.run()
