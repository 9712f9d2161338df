# Python 2.7. The suite's fuzzing client, against the server that the specification names: fuzzingclient.py SPEC
# Prints one line of JSON, {"cases": [...]}, then runs them; the suite's own chatter goes to stderr.

from autobahntestsuite import choosereactor  # installs the reactor, so it comes first
from autobahntestsuite import fuzzing
from twisted.internet import reactor
import json
import sys

announcements, sys.stdout = sys.stdout, sys.stderr
with open(sys.argv[1]) as spec:
    factory = fuzzing.FuzzingClientFactory(json.load(spec))
announcements.write(json.dumps({'cases': factory.specCases}) + '\n')
announcements.flush()
reactor.run()
