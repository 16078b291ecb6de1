"""Hands on what comes to one address to another, byte by byte, both ways: relay.py HOST:PORT TO-HOST:PORT.

For servers that receive OTLP and are read at one port, where two are asked for.
"""

import asyncio
import sys


def address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def hand_on(reader, writer):
    try:
        to_reader, to_writer = await asyncio.open_connection(*address(sys.argv[2]))
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer))
    to_writer.close()
    writer.close()


async def main():
    server = await asyncio.start_server(hand_on, *address(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
