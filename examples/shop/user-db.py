"""The users' table: Python's standard library only, to show that a service's language does not matter."""

import json
import os
import signal
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

VERSION = os.environ.get("VERSION", "v1")
PORT = int(os.environ.get("PORT", "9090"))

lock = threading.Lock()
db = sqlite3.connect(":memory:", check_same_thread=False)
db.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, card TEXT)")
db.executemany(
    "INSERT INTO users VALUES (?, ?, ?)",
    [(1, "Ada", "4000123412341234"), (2, "Grace", "4000567856785678")],
)


def find_user(user_id):
    with lock:
        row = db.execute("SELECT id, name, card FROM users WHERE id = ?", (user_id,)).fetchone()
    return dict(zip(("id", "name", "card"), row)) if row else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open
    disable_nagle_algorithm = True

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/version":
            return self.answer(200, "text/plain", f"user-db {VERSION}\n")
        if url.path == "/users":
            user = find_user(parse_qs(url.query).get("id", [""])[0])
            if user:
                return self.answer(200, "application/json", json.dumps(user))
        return self.answer(404, "application/json", '{"error": "not found"}')

    def answer(self, status, content_type, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-version", VERSION)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """No line per request: the sidecar's access log has them."""


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = ThreadingHTTPServer((os.environ.get("POD_IP", "127.0.0.1"), PORT), Handler)
server.daemon_threads = True
print(f"user-db {VERSION} (Python {sys.version.split()[0]}) listens on port {PORT}", flush=True)
server.serve_forever()
