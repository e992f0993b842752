"""What asyncio does on uvloop, one section after the other. Prints only what is decided."""
import asyncio
import hashlib
import os
import signal
import socket
import sys
import tempfile
import threading

import uvloop


def sha(data):
    return hashlib.sha256(data).hexdigest()[:16]


async def timers(home):
    loop, order = asyncio.get_running_loop(), []
    for ms in (300, 100, 200):
        loop.call_later(ms / 1000, order.append, ms)
    loop.call_soon(order.append, "soon")
    loop.call_later(0.15, order.append, "never").cancel()
    await asyncio.sleep(0.5)
    print(order)
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.01)
    except asyncio.TimeoutError:
        print("timeout")


async def echo(reader, writer):
    while data := await reader.read(10000):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
    writer.close()


async def talk(connect, size):
    reader, writer = await connect()
    want = b"0123456789\n" * (size // 11)
    writer.write(want)
    writer.writelines([b"a", b"b", b"c"])
    writer.write_eof()
    got = await reader.read()
    writer.close()
    await writer.wait_closed()
    return got == want + b"abc"


async def streams(home):
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    local = await asyncio.start_unix_server(echo, home + "/sock")
    for connect in (lambda: asyncio.open_connection("127.0.0.1", port), lambda: asyncio.open_unix_connection(home + "/sock")):
        print(await asyncio.gather(*(talk(connect, size) for size in (0, 100, 65536, 2_000_000))))
        print(all(await asyncio.gather(*(talk(connect, 300) for _ in range(90)))))
    for one in (server, local):
        one.close()
        await one.wait_closed()
    try:
        await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        print(type(error).__name__, error.errno)


async def sockets(home):
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)

        async def serve():
            peer, _ = await loop.sock_accept(listener)
            with peer:
                await loop.sock_sendall(peer, (await loop.sock_recv(peer, 100)).upper())

        task = asyncio.create_task(serve())
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, listener.getsockname())
            await loop.sock_sendall(client, b"raw socket")
            print(await loop.sock_recv(client, 100))
        await task
    a, b = socket.socketpair()
    a.setblocking(False)
    ready = loop.create_future()
    for _ in range(3):
        loop.add_reader(a, lambda: ready.done() or ready.set_result(a.recv(10)))
        b.send(b"ready")
        print(await ready, loop.remove_reader(a), loop.remove_reader(a))
        ready = loop.create_future()
    writable = loop.create_future()
    loop.add_writer(a, lambda: writable.done() or writable.set_result("writable"))
    print(await writable, loop.remove_writer(a))
    a.close()
    b.close()


async def datagrams(home):
    loop = asyncio.get_running_loop()

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, address):
            self.transport.sendto(data[::-1], address)

    class Client(asyncio.DatagramProtocol):
        def __init__(self):
            self.queue = asyncio.Queue()

        def datagram_received(self, data, address):
            self.queue.put_nowait(data)

    server, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    client, protocol = await loop.create_datagram_endpoint(Client, remote_addr=server.get_extra_info("sockname"))
    for size in (1, 1000, 50000):
        client.sendto(b"a" * (size - 1) + b"z")
        got = await protocol.queue.get()
        print(len(got), got[:1])
    client.close()
    server.close()


async def children(home):
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate(b"through cat\n" * 50000)
    print(sha(out), child.returncode)
    child = await asyncio.create_subprocess_shell("echo out; echo err >&2; exit 3", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    print(await child.communicate(), child.returncode)
    child = await asyncio.create_subprocess_exec("sleep", "100")
    child.terminate()
    print(await child.wait())
    try:
        await asyncio.create_subprocess_exec(home + "/none")
    except FileNotFoundError as error:
        print(error.errno)
    many = await asyncio.gather(*(asyncio.create_subprocess_shell(f"exit {i}") for i in range(20)))
    print(await asyncio.gather(*(one.wait() for one in many)))


async def others(home):
    loop = asyncio.get_running_loop()
    got = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, lambda: got.set_result("signal"))
    os.kill(os.getpid(), signal.SIGUSR1)
    print(await got, loop.remove_signal_handler(signal.SIGUSR1))
    print(await asyncio.gather(*(loop.run_in_executor(None, pow, 3, n) for n in range(10))))
    done, count = loop.create_future(), []

    def note():
        count.append(1)
        if len(count) == 4000:
            done.set_result("4000 calls from threads")

    threads = [threading.Thread(target=lambda: [loop.call_soon_threadsafe(note) for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    print(await done)
    for thread in threads:
        thread.join()
    print((await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))[0][4], await loop.getnameinfo(("127.0.0.1", 80)))
    read, write = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb"))
    writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(write, "wb"))
    writer.write(b"through a pipe")
    writer.close()
    print(await reader.read())
    with open(home + "/big", "wb") as file:
        file.write(b"big file\n" * 100000)


with open("/proc/self/maps") as maps:
    print("library:", next(line.split()[-1] for line in maps if "/libuv" in line))
for section in (timers, streams, sockets, datagrams, children, others):
    print("==", section.__name__)
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as home:
        uvloop.install()
        asyncio.run(section(home))
print("end")
