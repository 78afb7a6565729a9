"""The reference package, run for the peer tests.

serve [WORD...]   serves the families of examples/every_kind.rs; prints the port; ends with its standard input;
                  the words: created (with times of creation), failing, slow, undeclared (one more collector, of that
                  nature), large (some hundred KiB more), bare (a registry object of which nothing is known)
parse             reads "<command> <length>" lines, each followed by so many bytes, from standard input; answers
                  "ok <length>" or "error <length>" and the bytes
start             tries the start and stop behaviour; prints one "name: outcome" line each
"""
import errno
import gzip
import json
import os
import socket
import sys
import threading
import time

import prometheus_client as p
from prometheus_client import core
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client import parser as text_parser


class Discovered:
    """Families that no direct instrument can make."""

    def describe(self):
        return list(self.collect())

    def collect(self):
        unknown = core.UnknownMetricFamily("demo_unknown", "Of no known kind.")
        unknown.add_metric([], 5)
        yield unknown
        queue = core.GaugeHistogramMetricFamily("demo_queue_seconds", "Age of what waits.")
        queue.add_metric([], [("1.0", 2), ("10.0", 3), ("+Inf", 4)], 30.5)
        yield queue
        sampled = core.GaugeMetricFamily("demo_sampled_volts", "Measured some time ago.")
        sampled.add_metric([], 3.3, timestamp=1700000000.5)
        yield sampled


def every_kind():
    registry = p.CollectorRegistry()
    known = {"registry": registry}
    requests = p.Counter("demo_requests", "Requests served.", **known)
    requests.inc(3)
    temperature = p.Gauge("demo_temperature_celsius", "Board temperature.", unit="celsius", **known)
    temperature.set(41.5)
    replies = p.Counter("demo_replies", "Replies by method and code.", ["method", "code"], **known)
    replies.labels("GET", "200").inc(1027)
    replies.labels("POST", "404").inc(3)
    values = p.Gauge("demo_label_values", "Label values that need care.", ["value"], **known)
    for at, value in enumerate(["back\\slash", 'double"quote', "new\nline", "größe", "{a=\"b\"} # ,"]):
        values.labels(value).set(at + 1)
    numbers = p.Gauge("demo_numbers", "Numbers that need care.", ["case"], **known)
    for case, value in [
        ("nan", "nan"), ("plus_infinity", "inf"), ("minus_infinity", "-inf"), ("negative", -0.5), ("zero", 0),
        ("minus_zero", -0.0), ("huge", 1e300), ("tiny", 5e-324), ("million", 1234567), ("third", 1 / 3),
        ("whole", 9007199254740992),
    ]:
        numbers.labels(case).set(float(value))
    latency = p.Histogram("demo_latency_seconds", "Time to answer.", buckets=[0.01, 0.1, 1, 10], **known)
    for seconds in [0.05, 0.5, 0.5, 20]:
        latency.observe(seconds)
    phases = p.Histogram("demo_phase_seconds", "Time in each phase.", ["phase"], buckets=[0.5, 1], **known)
    phases.labels("read").observe(0.25)
    phases.labels("write").observe(0.75)
    size = p.Summary("demo_size_bytes", "Size of requests.", **known)
    size.observe(100)
    size.observe(200.5)
    sent = p.Summary("demo_sent_bytes", "Bytes sent.", ["to"], **known)
    sent.labels("cloud").observe(1000)
    build = p.Info("demo_build", "What runs here.", **known)
    build.info({"version": "1.0", "revision": "abc"})
    state = p.Enum("demo_state", "What it is doing.", states=["idle", "busy"], **known)
    state.state("busy")
    board = p.Counter("demo.board.requests", "A name with dots.", **known)
    board.inc(7)
    breadth = p.Gauge("demo.größe", "Names in UTF-8.", ["fühler.name"], **known)
    breadth.labels("a b").set(2.5)
    ratio = p.Gauge("demo:ratio", "A name with a colon.", **known)
    ratio.set(0.5)
    p.Gauge("demo_help", 'A back\\slash, a "quote" and\na new line.', **known).set(1)
    p.Gauge("demo_empty", "A family without rows.", ["row"], **known)
    p.Counter("demo_traced", "With an example.", **known).inc(2, exemplar={"trace_id": "abc"})
    slowest = p.Histogram("demo_slowest_seconds", "With an example in a bucket.", buckets=[0.5, 1], **known)
    slowest.observe(0.75, exemplar={"trace_id": "def", "span_id": "1"})
    registry.register(Discovered())
    return registry


class Named:
    """One gauge, with a name known before it is collected."""

    def __init__(self, name, before):
        self.name, self.before = name, before

    def describe(self):
        return [core.GaugeMetricFamily(self.name, "")]

    def collect(self):
        self.before()
        yield core.GaugeMetricFamily(self.name, "Collected.", value=1)


class Undeclared:
    def collect(self):
        yield core.GaugeMetricFamily("demo_undeclared", "Collected.", value=1)


class Bare:
    def __init__(self, registry):
        self.collect = registry.collect


def fail():
    raise OSError("cannot read the sensor")


def serve(words):
    if "created" not in words:
        p.disable_created_metrics()
    registry = every_kind()
    if "failing" in words:
        registry.register(Named("demo_failing", fail))
    if "slow" in words:
        registry.register(Named("demo_slow", lambda: time.sleep(0.5)))
    if "undeclared" in words:
        registry.register(Undeclared())
    if "large" in words:
        large = p.Gauge("demo_large", "Many rows.", ["row"], registry=registry)
        for row in range(5000):
            large.labels(str(row)).set(row)
    if "bare" in words:
        registry = Bare(registry)
    server, _ = p.start_http_server(0, addr="127.0.0.1", registry=registry)
    print(server.server_port, flush=True)
    sys.stdin.read()


def parsed(families):
    """One line per family and per sample, whatever the notation of the page was."""
    lines = []
    for family in families:
        lines.append(json.dumps(["family", family.name, family.type, family.unit, family.documentation], ensure_ascii=False))
        for sample in family.samples:
            line = ["sample", sample.name, sorted(sample.labels.items()), repr(float(sample.value))]
            if sample.timestamp is not None:
                line.append("at " + repr(float(sample.timestamp)))
            if sample.exemplar is not None:
                exemplar = sample.exemplar
                line.append(["exemplar", sorted(exemplar.labels.items()), repr(float(exemplar.value))])
            lines.append(json.dumps(line, ensure_ascii=False))
    return "\n".join(lines).encode()


COMMANDS = {
    "gunzip": gzip.decompress,
    "text": lambda page: parsed(text_parser.text_string_to_metric_families(page.decode())),
    "openmetrics": lambda page: parsed(openmetrics_parser.text_string_to_metric_families(page.decode())),
}


def parse():
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        command, length = line.decode().split()
        body = source.read(int(length))
        try:
            verdict, answer = "ok", COMMANDS[command](body)
        except Exception as error:  # the parsers raise whatever they meet
            verdict, answer = "error", f"{type(error).__name__}: {error}".encode()
        sink.write(f"{verdict} {len(answer)}\n".encode() + answer)
        sink.flush()


def outcome(attempt):
    try:
        return attempt()
    except OSError as error:
        return f"{type(error).__name__} {errno.errorcode.get(error.errno, error.errno)}"
    except Exception as error:
        return type(error).__name__


def start():
    registry = p.CollectorRegistry()

    def started(addr="127.0.0.1", port=0):
        def attempt():
            server, thread = p.start_http_server(port, addr=addr, registry=registry)
            try:
                return f"{server.server_address[0]} daemon={thread.daemon}"
            finally:
                server.shutdown()
                server.server_close()
        return attempt

    def accepts(addr, port):
        try:
            socket.create_connection((addr, port), timeout=2).close()
            return True
        except OSError:
            return False

    def families(addr):
        server, _ = p.start_http_server(0, addr=addr, registry=registry)
        port = server.server_port
        answers = f"IPv4={accepts('127.0.0.1', port)} IPv6={accepts('::1', port)}"
        server.shutdown()
        server.server_close()
        return answers

    def busy(first, second):
        def attempt():
            server, _ = p.start_http_server(0, addr=first, registry=registry)
            try:
                return started(second, server.server_port)()
            finally:
                server.shutdown()
                server.server_close()
        return attempt

    def stopped():
        server, _ = p.start_http_server(0, addr="127.0.0.1", registry=registry)
        port = server.server_port
        server.shutdown()
        server.shutdown()
        still_bound = accepts("127.0.0.1", port)
        server.server_close()
        server.server_close()
        return f"bound_after_shutdown={still_bound} bound_after_close={accepts('127.0.0.1', port)} " \
               f"again={started('127.0.0.1', port)()}"

    def inherited():
        server, _ = p.start_http_server(0, addr="127.0.0.1", registry=registry)
        flag = os.get_inheritable(server.fileno())
        reuse = [server.socket.getsockopt(socket.SOL_SOCKET, o) for o in (socket.SO_REUSEADDR, socket.SO_REUSEPORT)]
        server.shutdown()
        server.server_close()
        return f"inheritable={flag} reuseaddr={bool(reuse[0])} reuseport={bool(reuse[1])}"

    def idle_threads():
        server, _ = p.start_http_server(0, addr="127.0.0.1", registry=registry)
        before = threading.active_count()
        idle = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(50)]
        time.sleep(0.5)
        served = accepts("127.0.0.1", server.server_port)
        added = threading.active_count() - before
        for connection in idle:
            connection.close()
        server.shutdown()
        server.server_close()
        return f"threads={'50 or more' if added >= 50 else added} others_served={served}"

    for name, attempt in [
        ("default address", started("0.0.0.0")),
        ("port 0", started()),
        ("empty address", started("")),
        ("unknown name", started("no-such-host.invalid")),
        ("foreign address", started("192.0.2.1")),
        ("port 65536", started(port=65536)),
        ("busy", busy("127.0.0.1", "127.0.0.1")),
        ("busy wildcard", busy("0.0.0.0", "127.0.0.1")),
        ("IPv4 wildcard", lambda: families("0.0.0.0")),
        ("IPv6 wildcard", lambda: families("::")),
        ("IPv6 loopback", lambda: families("::1")),
        ("stop", stopped),
        ("descriptor", inherited),
        ("idle", idle_threads),
    ]:
        print(f"{name}: {outcome(attempt)}", flush=True)


def main():
    mode = sys.argv[1]
    if mode == "serve":
        serve(sys.argv[2:])
    elif mode == "parse":
        parse()
    elif mode == "start":
        start()


main()
