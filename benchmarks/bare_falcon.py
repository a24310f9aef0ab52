"""The ceiling for reads: the least that falcon on gevent's pywsgi can do, in its own process.

It reads JSON from its standard input, serves those very bytes at ``/``, prints its port and runs
until it is ended. It serialises nothing, so that it is a ceiling and not a rival.
"""

from __future__ import annotations

import socket
import sys


def main() -> None:
    """Serve the bytes."""
    # Patched before anything else is loaded, and only when the program runs.
    from gevent import monkey  # noqa: PLC0415 - see above

    monkey.patch_all()

    import falcon  # noqa: PLC0415 - see above
    from gevent import pywsgi  # noqa: PLC0415 - see above

    body = sys.stdin.buffer.read()

    class Read:
        def on_get(self, _: falcon.Request, response: falcon.Response) -> None:
            response.data = body

    app = falcon.App()
    app.add_route("/", Read())

    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    # Without it every answer on a kept connection waits for a delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(listener.getsockname()[1], flush=True)
    pywsgi.WSGIServer(listener, app, log=None).serve_forever()


if __name__ == "__main__":
    main()
