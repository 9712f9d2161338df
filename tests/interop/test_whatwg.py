"""The browsers' WebSocket in Node (`sockline/whatwg`) and Chromium's own: the same questions, the same answers.

That ours are those of `answers.json` is tested beside it, in bindings/node.
"""

import json
import subprocess
import unittest

from programs import CHECKOUT, PEERS

ANSWERS = CHECKOUT / "bindings/node/test/whatwg/answers.json"

# Where Chromium does otherwise than the standard, which ours follow; each has to be so still.
CHROMIUM = {
    "constructing/ws://foo bar.com/": "takes a space in a host (URL: a forbidden host code point)",
    'constructing/protocols ["a","A"]': "takes protocols that differ in case only (Web Platform Tests have them refused)",
    "closing/close(number 999.5)": "[Clamp] rounds to the nearest, of two as near to the even one (Web IDL §3.2.4)",
    "closing/close(number 2999.5)": "the same",
    "ending/close(undefined, reason)/error": "an undefined code is a missing one (Web IDL, optional arguments)",
    "ending/close(undefined, reason)/code": "the same",
    "ending/close(undefined, reason)/reason": "the same",
    "events/close with all/reason": "CloseEventInit's reason is a USVString",
    "events/message with all/origin": "MessageEventInit's origin is a USVString",
    "shape/MessageEvent/members/userActivation": "is not in the standard",
}


def flat(answers: object, path: str = "") -> dict[str, object]:
    if not isinstance(answers, dict):
        return {path: answers}
    found: dict[str, object] = {}
    for name, answer in answers.items():
        found |= flat(answer, f"{path}/{name}" if path else name)
    return found


class Whatwg(unittest.TestCase):
    maxDiff = None

    def test_chromium_answers_the_same(self) -> None:
        command = ["node", str(PEERS / "node/whatwg_answers.js")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        chromium, ours = flat(json.loads(done.stdout)), flat(json.loads(ANSWERS.read_text()))
        different = {name for name in chromium.keys() | ours.keys() if chromium.get(name) != ours.get(name)}
        self.assertEqual(different, set(CHROMIUM))


if __name__ == "__main__":
    unittest.main()
