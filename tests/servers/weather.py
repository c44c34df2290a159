"""A proxy before an HTTP server, in which requests and answers go astray."""

import http.client
import random
import socket
import struct
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# What may happen to a request, and how often of a thousand. The rest goes through.
FAULTS = {
    "late": 100,  # a pause, then as usual
    "refused": 25,  # 500, and the server never hears of it
    "slow down": 25,  # 503, the same
    "reset": 20,  # the connection ends before the server hears of it
    "answer lost": 20,  # the server does it, and the connection ends
    "black hole": 2,  # no answer until the client gives up
}
BLACK_HOLE_SECONDS = 15


class Weather(BaseHTTPRequestHandler):
    """One connection; what its requests meet is drawn by the server's generator."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.server.draw()
        if fault == "late":
            time.sleep(0.3)
        if fault == "black hole":
            time.sleep(BLACK_HOLE_SECONDS)
        if fault in ("reset", "black hole"):
            return self.reset()
        if fault in ("refused", "slow down"):
            return self.answer(500 if fault == "refused" else 503, {}, b"")
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        upstream.request("POST", self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        text = answer.read()
        upstream.close()
        if fault == "answer lost":
            return self.reset()
        headers = {
            name: value
            for name, value in answer.getheaders()
            if name.lower().startswith("x-amz") or name.lower() == "content-type"
        }
        return self.answer(answer.status, headers, text)

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reset(self):
        self.close_connection = True
        # Closed without lingering, a connection is reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, *_):
        pass


@contextmanager
def weather(endpoint, seed):
    """A proxy before `endpoint`: its own endpoint, and a count of each fault that was met."""
    draw, lock, met = random.Random(seed), threading.Lock(), dict.fromkeys(FAULTS, 0)

    def next_fault():
        with lock:
            left = draw.randrange(1000)
            for fault, weight in FAULTS.items():
                if left < weight:
                    met[fault] += 1
                    return fault
                left -= weight
        return None

    class Quiet(ThreadingHTTPServer):
        """Clients that are killed leave their connections; that is no news."""

        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_):
            pass

    server = Quiet(("127.0.0.1", 0), Weather)
    server.draw, server.upstream = next_fault, urlsplit(endpoint).netloc
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", met
    finally:
        server.shutdown()
        server.server_close()
