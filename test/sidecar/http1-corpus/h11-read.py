"""What h11 makes of the bytes that an upstream got. In: one JSON object a line, {id, segments: [base64]}.
Out: the same lines, {id, requests: [[method, target, body as base64, whole]], errors}."""

import base64
import json
import sys

import h11


def read(data):
    requests = []
    c = h11.Connection(h11.SERVER, max_incomplete_event_size=512 * 1024)
    c.receive_data(data)
    try:
        while True:
            event = c.next_event()
            if event is h11.NEED_DATA:
                break
            if event is h11.PAUSED:
                if c.their_state in (h11.DONE, h11.MIGHT_SWITCH_PROTOCOL):
                    c.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                    c.send(h11.EndOfMessage())
                    if c.our_state is not h11.DONE or c.their_state is not h11.DONE:
                        break
                    c.start_next_cycle()
                    continue
                break
            if isinstance(event, h11.Request):
                requests.append([event.method.decode("latin1"), event.target.decode("latin1"), b"", False])
            elif isinstance(event, h11.Data):
                requests[-1][2] += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                requests[-1][3] = True
                c.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                c.send(h11.EndOfMessage())
                if c.our_state is not h11.DONE or c.their_state is not h11.DONE:
                    break
                c.start_next_cycle()
    except h11.RemoteProtocolError as error:
        return requests, str(error)
    return requests, None


for line in sys.stdin:
    case = json.loads(line)
    requests, errors = [], []
    for segment in case["segments"]:
        got, error = read(base64.b64decode(segment))
        requests += [[m, t, base64.b64encode(b).decode(), whole] for m, t, b, whole in got]
        if error:
            errors.append(error)
    print(json.dumps({"id": case["id"], "requests": requests, "errors": errors}))
