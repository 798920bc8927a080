"""A peer of HTTP/2 by python3-h2, which this project did not write.

`h2-peer.py serve [goaway-after=N] [window=N] [table=N] [streams=N]`: the application of apps.ts; prints its port, and at
the end of its input how many requests it has served and what clients announced.
`h2-peer.py ask PORT [CA]`: asks it through whatever listens there (TLS where a CA is given), in every way that h2 offers;
prints one JSON object: what came of each.
"""

import json
import socket
import ssl
import sys
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

S = h2.settings.SettingCodes
PIECE = b"x" * 65536


# ---- the application

served = {"requests": 0, "connections": 0, "push": set(), "table": set()}
lock = threading.Lock()


class Server:
    def __init__(self, sock, options):
        self.sock = sock
        self.options = options
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.conn = h2.connection.H2Connection(config=config)
        self.conn.initiate_connection()
        names = {"window": S.INITIAL_WINDOW_SIZE, "streams": S.MAX_CONCURRENT_STREAMS, "table": S.HEADER_TABLE_SIZE}
        own = {code: options[name] for name, code in names.items() if name in options}
        if own:
            self.conn.update_settings(own)  # they hold from their ACK on
        self.requests = {}
        self.waiting = {}  # stream -> [bytes, trailers]
        self.asked = 0
        self.leaving = False

    def run(self):
        self.flush()
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            try:
                events = self.conn.receive_data(data)
            except h2.exceptions.ProtocolError as error:
                print("protocol error", error, file=sys.stderr, flush=True)
                self.flush()
                return
            for event in events:
                self.on(event)
            self.flush()
            if self.leaving and not self.requests and not self.waiting:
                self.sock.shutdown(socket.SHUT_WR)
                self.sock.settimeout(2)
                try:
                    while self.sock.recv(65536):
                        pass
                except OSError:
                    pass
                return

    def flush(self):
        data = self.conn.data_to_send()
        if data:
            try:
                self.sock.sendall(data)
            except OSError:
                pass

    def on(self, event):
        e = h2.events
        if isinstance(event, e.RequestReceived):
            if self.leaving:
                return  # above the last stream of our GOAWAY
            head = dict(event.headers)
            self.requests[event.stream_id] = (head, bytearray())
            if head.get("expect") == "100-continue":
                self.conn.send_headers(event.stream_id, [(":status", "100")])
            self.asked += 1
            if self.asked == self.options.get("goaway-after"):
                self.leaving = True
                self.last = event.stream_id
        elif isinstance(event, e.DataReceived):
            if event.stream_id in self.requests:
                self.requests[event.stream_id][1].extend(event.data)
            self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, e.StreamEnded):
            request = self.requests.pop(event.stream_id, None)
            if request is not None:
                self.answer(event.stream_id, *request)
        elif isinstance(event, e.StreamReset):
            self.requests.pop(event.stream_id, None)
            self.waiting.pop(event.stream_id, None)
        elif isinstance(event, e.ConnectionTerminated):
            # what was asked for is still answered; h2 takes a GOAWAY for the end of everything
            self.conn.state_machine.state = h2.connection.ConnectionState.SERVER_OPEN
        elif isinstance(event, e.RemoteSettingsChanged):
            with lock:
                served["push"].add(self.conn.remote_settings.enable_push)
                served["table"].add(self.conn.remote_settings.header_table_size)
        if isinstance(event, (e.WindowUpdated, e.RemoteSettingsChanged)):
            for stream in list(self.waiting):
                self.pour(stream)
        if self.leaving and self.asked == self.options.get("goaway-after"):
            self.asked += 1
            self.conn.close_connection(0, last_stream_id=self.last)
            self.conn.state_machine.state = h2.connection.ConnectionState.SERVER_OPEN

    def answer(self, stream, head, body):
        with lock:
            served["requests"] += 1
        parts = head[":path"].split("/")
        kind = parts[1]
        number = int(parts[2]) if len(parts) > 2 else 0
        out = [(":status", "200"), ("x-version", "2.0")]
        send = lambda more, end=False: self.conn.send_headers(stream, out + more, end_stream=end)
        if kind == "hello":
            self.begin(stream, send, [], b"hello")
        elif kind == "echo":
            self.begin(stream, send, [], bytes(body), [("x-bytes", str(len(body)))])
        elif kind in ("bytes", "stream"):
            more = [("content-length", str(number))] if kind == "bytes" else []
            if head[":method"] == "HEAD":
                send(more, True)
            else:
                self.begin(stream, send, more, b"x" * number)
        elif kind == "status":
            self.conn.send_headers(stream, [(":status", str(number))], end_stream=True)
        elif kind == "seen":
            self.begin(stream, send, [], json.dumps(head).encode())
        elif kind == "big":
            self.begin(stream, send, [("x-big-%d" % i, str(i % 10) * 400) for i in range(50)], b"big")
        elif kind == "hints":
            self.conn.send_headers(stream, [(":status", "103"), ("link", "</a.css>; rel=preload")])
            self.begin(stream, send, [], b"hinted")
        elif kind == "cut":
            send([])
            self.conn.send_data(stream, PIECE[:1000])
            self.conn.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
        else:
            self.conn.send_headers(stream, [(":status", "404")], end_stream=True)

    def begin(self, stream, send, more, body, trailers=None):
        send(more)
        self.waiting[stream] = [memoryview(body), trailers]
        self.pour(stream)

    def pour(self, stream):
        body, trailers = self.waiting[stream]
        while len(body) > 0:
            room = min(self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size, len(body))
            if room <= 0:
                self.waiting[stream][0] = body
                return
            padding = 7 if room > 1000 and room + 8 < self.conn.local_flow_control_window(stream) else None
            if padding is not None:
                room = min(room, self.conn.max_outbound_frame_size - 8)
            self.conn.send_data(stream, bytes(body[:room]), pad_length=padding)
            body = body[room:]
        del self.waiting[stream]
        if trailers is None:
            self.conn.end_stream(stream)
        else:
            self.conn.send_headers(stream, trailers, end_stream=True)


def serve(options):
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    print(listener.getsockname()[1], flush=True)

    def accept():
        while True:
            sock, _ = listener.accept()
            served["connections"] += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Server(sock, options).run, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    print(json.dumps({k: sorted(v) if isinstance(v, set) else v for k, v in served.items()}), flush=True)


# ---- the client


class Client:
    def __init__(self, port, ca, settings=None):
        sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca is not None:
            context = ssl.create_default_context(cafile=ca)
            context.set_alpn_protocols(["h2"])
            sock = context.wrap_socket(sock, server_hostname="server.example.com")
            assert sock.selected_alpn_protocol() == "h2"
        self.sock = sock
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.conn = h2.connection.H2Connection(config=config)
        if settings:
            self.conn.local_settings = h2.settings.Settings(client=True, initial_values=settings)
            self.conn.max_inbound_frame_size = self.conn.local_settings.max_frame_size
        self.conn.initiate_connection()
        self.answers = {}
        self.closed = False
        self.pongs = 0
        self.goaway = None
        self.flush()

    def flush(self):
        data = self.conn.data_to_send()
        if data:
            self.sock.sendall(data)

    def read(self):
        data = self.sock.recv(65536)
        if not data:
            self.closed = True
            return
        e = h2.events
        for event in self.conn.receive_data(data):
            answer = self.answers.get(getattr(event, "stream_id", None))
            if isinstance(event, e.ResponseReceived):
                answer["head"] = dict(event.headers)
                answer["status"] = int(answer["head"][":status"])
            elif isinstance(event, e.InformationalResponseReceived):
                answer["interim"].append(int(dict(event.headers)[":status"]))
            elif isinstance(event, e.DataReceived):
                answer["body"] += event.data
                self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, e.TrailersReceived):
                answer["trailers"] = dict(event.headers)
            elif isinstance(event, e.StreamEnded):
                answer["done"] = True
            elif isinstance(event, e.StreamReset):
                answer["done"] = True
                answer["reset"] = int(event.error_code)
            elif isinstance(event, e.PingAckReceived):
                self.pongs += 1
            elif isinstance(event, e.ConnectionTerminated):
                self.goaway = int(event.error_code)
        self.flush()

    def open(self, path, method="GET", fields=(), end=True, **priority):
        stream = self.conn.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", "server.example.com"), (":path", path)]
        self.answers[stream] = {"head": {}, "status": 0, "interim": [], "body": b"", "trailers": None, "done": False}
        self.conn.send_headers(stream, head + list(fields), end_stream=end, **priority)
        self.flush()
        return stream

    def send(self, stream, body, pad=None, end=True):
        body = memoryview(body)
        while len(body) > 0:
            room = min(self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size)
            room = min(room if pad is None else room - pad - 1, len(body))
            if room <= 0:
                if self.closed:
                    return
                self.read()
                continue
            self.conn.send_data(stream, bytes(body[:room]), pad_length=pad)
            self.flush()
            body = body[room:]
        if end:
            self.conn.end_stream(stream)
            self.flush()

    def wait(self, stream):
        while not self.answers[stream]["done"] and not self.closed:
            self.read()
        return self.answers[stream]

    def get(self, path, **more):
        return self.wait(self.open(path, **more))

    def post(self, path, body, fields=(), pad=None):
        stream = self.open(path, method="POST", fields=fields, end=False)
        self.send(stream, body, pad)
        return self.wait(stream)


def ask(port, ca):
    results = {}
    new = lambda **settings: Client(port, ca, {S[k]: v for k, v in settings.items()})
    c = new()
    results["get"] = c.get("/hello")["body"].decode()
    for size in (0, 1, 1000, 16383, 16384, 16385, 70000, 1000000):
        body = bytes(i % 251 for i in range(min(size, 5000))) * (size // 5000 if size > 5000 else 1)
        answer = c.post("/echo", body)
        results["post %d" % size] = answer["body"] == body and (answer["trailers"] or {}).get("x-bytes") == str(len(body))
    many = [c.open("/bytes/%d" % (i * 300)) for i in range(100)]
    results["100 at once"] = sum(len(c.wait(s)["body"]) == i * 300 for i, s in enumerate(many))
    results["statuses"] = [c.get("/status/%d" % n)["status"] for n in (204, 304, 404)]
    head = c.get("/bytes/1234", method="HEAD")
    results["HEAD"] = [head["head"].get("content-length"), len(head["body"])]
    # over 16384 bytes: CONTINUATION
    fields = [("x-%d" % i, "%x" % (i * 7919) * 100) for i in range(50)]
    seen = json.loads(c.get("/seen", fields=fields)["body"])
    results["large head"] = sum(seen.get(k) == v for k, v in fields)
    big = c.get("/big")["head"]
    results["large answer"] = sum(len(v) == 400 for k, v in big.items() if k.startswith("x-big-"))
    results["103"] = c.get("/hints")["interim"]
    results["cut"] = c.get("/cut").get("reset")
    results["padding"] = c.post("/echo", PIECE * 3, pad=200)["body"] == PIECE * 3
    expects = c.open("/echo", method="POST", fields=[("expect", "100-continue"), ("content-length", "5")], end=False)
    while not c.answers[expects]["interim"] and not c.answers[expects]["done"]:
        c.read()
    results["expect"] = c.answers[expects]["interim"]
    c.send(expects, b"hello")
    results["after 100"] = c.wait(expects)["body"].decode()
    trailing = c.open("/echo", method="POST", end=False)
    c.send(trailing, b"body", end=False)
    c.conn.send_headers(trailing, [("x-sum", "1")], end_stream=True)
    c.flush()
    results["request trailers"] = c.wait(trailing)["body"].decode()
    gone = c.open("/echo", method="POST", end=False)
    c.conn.reset_stream(gone, h2.errors.ErrorCodes.CANCEL)
    results["after a reset"] = c.get("/hello")["status"]
    low = c.open("/hello", priority_weight=1, priority_depends_on=0, priority_exclusive=True)
    c.conn.prioritize(low + 100, weight=200, depends_on=low)
    results["priority"] = c.wait(low)["status"]
    c.conn.ping(b"12345678")
    c.flush()
    while c.pongs == 0:
        c.read()
    results["pongs"] = c.pongs
    results["push is refused"] = c.conn.remote_settings.enable_push in (0, 1)

    small = new(INITIAL_WINDOW_SIZE=1)
    results["window of 1"] = len(small.get("/stream/300")["body"])
    none = new(HEADER_TABLE_SIZE=0)
    results["table of 0"] = [none.get("/seen", fields=[("x-a", "b")])["status"] for _ in range(3)]
    larger = new(MAX_FRAME_SIZE=1 << 20, INITIAL_WINDOW_SIZE=1 << 20)
    results["frames of 1 MiB"] = len(larger.get("/bytes/900000")["body"])

    # a client's GOAWAY: what it has asked for still comes
    last = new()
    stream = last.open("/bytes/50000")
    last.sock.sendall(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + b"\x00" * 8)
    results["after our GOAWAY"] = len(last.wait(stream)["body"])
    print(json.dumps(results))


if sys.argv[1] == "serve":
    serve({k: int(v) for k, v in (a.split("=") for a in sys.argv[2:])})
else:
    ask(int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
