"""Serves httpbin on a free loopback port and prints the port once it listens.

Ends when its standard input does, so that it never outlives the test, even a killed one.
"""

import logging
import os
import sys
import threading

from httpbin import app
from werkzeug.serving import WSGIRequestHandler, make_server


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


logging.getLogger("werkzeug").setLevel(logging.ERROR)
# Connections that stay open, as real providers keep them; the default is HTTP/1.0.
WSGIRequestHandler.protocol_version = "HTTP/1.1"
server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=end_with_parent, daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
