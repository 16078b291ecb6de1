"""Programs with databases: sqlite3, and PostgreSQL where locks and deadlocks are wanted."""

import os, queue, subprocess, threading

from record import *
from flask import jsonify


def postgres(*statements):
    """A PostgreSQL server of its own; connections have spans."""
    import psycopg2
    from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
    Psycopg2Instrumentor().instrument(tracer_provider=SameService(), skip_dep_check=True)
    folder = f"/tmp/elsewhere-pg-{os.getpid()}"
    binaries = subprocess.check_output("ls -d /usr/lib/postgresql/*/bin 2>/dev/null || dirname $(readlink -f $(which initdb))", shell=True, text=True).split()[0]
    as_user = lambda command: subprocess.run(["su", "postgres", "-s", "/bin/sh", "-c", command], check=True, stdout=subprocess.DEVNULL, cwd="/tmp")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    as_user(f"{binaries}/initdb -D {folder} -A trust -U app >/dev/null && {binaries}/pg_ctl -w -D {folder} -l {folder}.log -o '-p {port} -k /tmp -c fsync=off -c listen_addresses= -c deadlock_timeout=100ms' start")
    connect = lambda: psycopg2.connect(host="/tmp", port=port, user="app", dbname="postgres", application_name="app")
    with connect() as connection:
        for statement in statements:
            connection.cursor().execute(statement)
    return connect, lambda: as_user(f"{binaries}/pg_ctl -w -m immediate -D {folder} stop && rm -r {folder} {folder}.log")


def library():
    connect = database("CREATE TABLE books (id INTEGER, author INTEGER)", "CREATE TABLE authors (id INTEGER, name TEXT)")
    writer = connect()
    for number in range(12):
        writer.execute("INSERT INTO books VALUES (?, ?)", (number, number * 7))
        writer.execute("INSERT INTO authors VALUES (?, ?)", (number * 7, f"author {number}"))
    writer.commit()
    return connect


@recording("ids-one-by-one", expected=["n-plus-one"])
def _():
    connect = library()

    def books():
        cursor = connect().cursor()
        cursor.execute("SELECT id, author FROM books ORDER BY id LIMIT 10")
        result = []
        for _, author in cursor.fetchall():
            cursor.execute("SELECT nap(7, name) FROM authors WHERE id = ?", (author,))
            result.append(cursor.fetchone())
        return jsonify(result)

    base = web("library", {"GET /books": books})
    for _ in range(4):
        with request():
            visit(base + "/books")


@recording("ids-each-in-a-function", expected=["n-plus-one"], new=True)
def _():
    connect = library()
    tracer = service("library-new")

    def author_of(cursor, author):
        with tracer.start_as_current_span("Author.load", attributes={"code.function.name": "library.Author.load"}):
            cursor.execute(f"SELECT nap(7, name) FROM authors WHERE id = {author}")
            return cursor.fetchone()

    def books():
        cursor = connect().cursor()
        cursor.execute("SELECT id, author FROM books ORDER BY id LIMIT 10")
        return jsonify([author_of(cursor, author) for _, author in cursor.fetchall()])

    base = web("library-new", {"GET /books": books})
    for _ in range(4):
        with request():
            visit(base + "/books")


@recording("slow-report", expected=["slow-query"])
def _():
    connect = database("CREATE TABLE sales (amount INTEGER)")

    def report():
        cursor = connect().cursor()
        cursor.execute("SELECT name FROM sqlite_master")
        cursor.fetchall()
        cursor.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3500000) SELECT count(*), sum(i) FROM n")
        return jsonify(cursor.fetchall())

    base = web("reports", {"GET /report": report})
    for _ in range(3):
        with request():
            visit(base + "/report")


@recording("pool-of-two-crowd", expected=["pool-wait"])
def _():
    """Eight requests at a time, two connections; no span for the waiting."""
    connect, stop = postgres("CREATE TABLE seats (id INTEGER)")
    pool = queue.Queue()
    tracer = service("tickets")
    with tracer.start_as_current_span("connect"):
        for _ in range(2):
            pool.put(connect())
    with request():
        pass
    LINES.clear()

    def seats():
        with tracer.start_as_current_span("render header"):
            nap(2)
        connection = pool.get()
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT count(*), pg_sleep(0.06) FROM seats")
            cursor.fetchall()
        finally:
            pool.put(connection)
        return "ok"

    base = web("tickets", {"GET /seats": seats})
    for _ in range(3):
        with request():
            crowd(8, lambda _: visit(base + "/seats"), apart_ms=4)
    stop()


@recording("pool-of-two-fan-out", expected=["pool-wait"], new=True)
def _():
    """One request loads eight tiles in threads, over two connections."""
    connect = database("CREATE TABLE tiles (id INTEGER)", *(f"INSERT INTO tiles VALUES ({number})" for number in range(8)))
    tracer = service("maps")
    pool = threading.Semaphore(2)

    def tile(number, parent):
        with trace.use_span(parent), tracer.start_as_current_span("load tile", attributes={"tile.x": number}):
            with pool:
                cursor = connect().cursor()
                cursor.execute("SELECT nap(50, id) FROM tiles WHERE id = ?", (number,))
                cursor.fetchall()

    def tiles():
        parent = trace.get_current_span()
        crowd(8, lambda number: tile(number, parent))
        return "ok"

    base = web("maps", {"GET /tiles": tiles})
    for _ in range(4):
        with request():
            visit(base + "/tiles")


@recording("row-lock", expected=["lock-wait"], allowed=["slow-query"])
def _():
    """Everybody updates the same row; the second transaction's UPDATE waits for the first's COMMIT."""
    connect, stop = postgres("CREATE TABLE stock (id INTEGER, amount INTEGER)", "INSERT INTO stock VALUES (1, 1000)")
    tracer = service("stock")

    def take():
        with connect() as connection:
            cursor = connection.cursor()
            cursor.execute("UPDATE stock SET amount = amount - 1 WHERE id = 1")
            with tracer.start_as_current_span("print label"):
                nap(70)
            connection.commit()
        return "ok"

    base = web("stock", {"POST /take": take})
    for _ in range(3):
        with request():
            crowd(4, lambda _: visit(base + "/take", "POST", data=b""), apart_ms=10)
    stop()


@recording("deadlock", expected=["deadlock"], allowed=["error", "lock-wait", "slow-query"])
def _():
    connect, stop = postgres("CREATE TABLE accounts (id INTEGER, amount INTEGER)", "INSERT INTO accounts VALUES (1, 10), (2, 10)")
    tracer = service("bank")

    def transfer(source, target):
        with connect() as connection:
            cursor = connection.cursor()
            cursor.execute("UPDATE accounts SET amount = amount - 1 WHERE id = %s", (source,))
            with tracer.start_as_current_span("check limits"):
                nap(30)
            cursor.execute("UPDATE accounts SET amount = amount + 1 WHERE id = %s", (target,))
        return "ok"

    base = web("bank", {"POST /transfer/<int:source>/<int:target>": transfer})
    for _ in range(3):
        with request():
            crowd(2, lambda number: visit(base + ("/transfer/1/2", "/transfer/2/1")[number], "POST", data=b""))
    stop()


# Nothing is wrong with these.

@recording("batch-of-200-inserts")
def _():
    connect = database("CREATE TABLE rows (id INTEGER, name TEXT)")

    def upload():
        connection = connect()
        cursor = connection.cursor()
        for number in range(200):
            cursor.execute("INSERT INTO rows VALUES (?, ?)", (number, "row"))
        connection.commit()
        return "ok"

    base = web("importer", {"POST /upload": upload})
    for _ in range(3):
        with request():
            visit(base + "/upload", "POST", data=b"")


@recording("migrations", new=True)
def _():
    """Forty statements of DDL at the start of a program."""
    connect, stop = postgres()
    tracer = service("migrate")
    for round in range(3):
        with request(), tracer.start_as_current_span("migrate"):
            connection = connect()
            cursor = connection.cursor()
            for number in range(40):
                table = f"t{round}_{number // 4}"
                cursor.execute([f"CREATE TABLE {table} (id SERIAL PRIMARY KEY, name TEXT)", f"ALTER TABLE {table} ADD COLUMN age INTEGER",
                                f"CREATE INDEX {table}_name ON {table} (name)", f"COMMENT ON TABLE {table} IS 'table {number}'"][number % 4])
                connection.commit()
    stop()


@recording("different-queries")
def _():
    """Six quick queries of one page, each of its own shape, in one transaction."""
    connect, stop = postgres("CREATE TABLE users (id INTEGER, name TEXT)")

    def page():
        with connect() as connection:
            cursor = connection.cursor()
            for query in ("SELECT count(*) FROM users", "SELECT max(id) FROM users", "SELECT name FROM users WHERE id = 4",
                          "SELECT current_date", "SELECT version()", "SELECT id FROM users WHERE name LIKE 'a%'"):
                cursor.execute(query)
                cursor.fetchall()
        return "ok"

    base = web("profile", {"GET /profile": page})
    for _ in range(4):
        with request():
            visit(base + "/profile")
    stop()


main()
