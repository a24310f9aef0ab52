"""The ceiling for reads: the least that falcon on gevent's pywsgi can do, in its own process.

It reads a JSON value from its standard input, serves it at ``/``, prints its port and runs
until it is ended.
"""

from __future__ import annotations

import json
import socket
import sys


def main() -> None:
    """Serve the value."""
    # Patched before anything else is loaded, and only when the program runs.
    from gevent import monkey  # noqa: PLC0415 - see above

    monkey.patch_all()

    import falcon  # noqa: PLC0415 - see above
    from gevent import pywsgi  # noqa: PLC0415 - see above

    value = json.load(sys.stdin)

    class Read:
        def on_get(self, _: falcon.Request, response: falcon.Response) -> None:
            response.media = value

    app = falcon.App()
    app.add_route("/", Read())

    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    # Without it every answer on a kept connection waits for a delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(listener.getsockname()[1], flush=True)
    pywsgi.WSGIServer(listener, app, log=None).serve_forever()


if __name__ == "__main__":
    main()
