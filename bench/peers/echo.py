"""The echo server of the bench on Python's asyncio, or with uvloop as its loop: echo.py LOOP."""

import asyncio
import os
import signal
import socket
import sys


class Echo(asyncio.Protocol):
    """Callbacks instead of streams: the fastest way that asyncio has."""

    def connection_made(self, transport):
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.transport.write(data)


async def serve(library):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    print(f"library {library} epoll\nready {port}", flush=True)
    await server.serve_forever()


def main():
    signal.alarm(90)
    if "BENCH_CPU" in os.environ:
        os.sched_setaffinity(0, {int(os.environ["BENCH_CPU"])})
    library = sys.argv[1]
    if library == "uvloop":
        import uvloop

        uvloop.run(serve(library))
    else:
        asyncio.run(serve(library))


main()
