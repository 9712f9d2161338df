#!/bin/sh
# Starts the chat server on PORT and says how to join from each language.
set -eu
cd "$(dirname "$0")/.."
port=${1:-3000}
cat <<TEXT
The chat is at http://localhost:$port/  (stop it with Ctrl-C)

Join from a terminal, in any language:
  C       examples/c/build/chat_client ws://localhost:$port/ws Ada
  Python  .venv/bin/python examples/python/chat_client.py ws://localhost:$port/ws Guido
  Node    node examples/node/chat_client.js ws://localhost:$port/ws Brendan

TEXT
exec examples/c/build/chat_server "$port"
