"""Python's ssl module as a client, for the peer tests.

Reads lines of words separated by tabs from standard input: a command, the server's port, the file of the CA, the
files of the client's certificate and key (empty if it has none), the version of TLS (empty for any), and what the
command says of itself. Answers each with one line, in which "|" stands for a line break.
"""
import socket
import ssl
import sys
import threading

PATIENCE = 10
GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Server:
    """What is known of the server, and how to go there."""

    def __init__(self, port, ca, cert, key, version):
        self.address = ("127.0.0.1", int(port))
        self.context = ssl.create_default_context(cafile=ca)
        if cert:
            self.context.load_cert_chain(cert, key)
        if version:
            self.context.minimum_version = self.context.maximum_version = VERSIONS[version]

    def plain(self):
        sock = socket.create_connection(self.address, PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def connect(self, session=None):
        sock = self.plain()
        try:
            return self.context.wrap_socket(sock, server_hostname="localhost", session=session)
        except BaseException:
            sock.close()
            raise

    def by_hand(self):
        """A client whose records the caller carries."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        return incoming, outgoing, self.context.wrap_bio(incoming, outgoing, server_hostname="localhost")


def receive(read):
    """Reads one answer; gives its status and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = read(65536)
        if not more:
            raise EOFError("no head")
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
    status = lines[0].split(" ")[1]
    if "content-length" in headers:
        whole = lambda: len(body) >= int(headers["content-length"])
    elif headers.get("transfer-encoding") == "chunked":
        whole = lambda: body.endswith(b"\r\n0\r\n\r\n")
    else:
        whole = lambda: False
    while not whole():
        more = read(65536)
        if not more:
            raise EOFError("a body is not whole")
        body += more
    return status, body


def ask(sock):
    sock.sendall(GET)
    status, body = receive(sock.recv)
    return status if b"\ndemo_requests_total 3\n" in body else status + " without the page"


def outcome(visit):
    """What comes of a visit, in a word or two."""
    try:
        return visit()
    except ssl.SSLError as error:
        name = (error.reason or str(error)).lower()
        return "alert " + name.split("_alert_")[1] if "_alert_" in name else name
    except ConnectionError:
        return "reset"
    except EOFError as error:
        return f"end: {error}"
    except TimeoutError:
        return "silence"


KEPT = {}


def counters(server, *_):
    """What the page says of TLS, over a connection that stays."""
    sock = KEPT.get(server.address)
    if sock is None:
        sock = KEPT[server.address] = server.connect()
    sock.sendall(GET)
    _, body = receive(sock.recv)
    return "|".join(line for line in body.decode().splitlines() if line.startswith("scrapeport_tls_"))


def visit(server):
    """One scrape over a connection of its own."""
    def scrape():
        with server.connect() as sock:
            return ask(sock)
    return outcome(scrape)


def version(server):
    with server.connect() as sock:
        return f"{ask(sock)} {sock.version()} {sock.selected_alpn_protocol()}"


def resume(server, times):
    """Visits again and again, each with the session of the one before; tells which were resumed."""
    session, words = None, []
    for _ in range(int(times)):
        with server.connect(session) as sock:
            words.append(ask(sock) + (" reused" if sock.session_reused else " new"))
            # With TLS 1.3 the ticket came with the answer.
            session = sock.session
    return ", ".join(words)


def farewell(server):
    """Ends TLS and keeps TCP: the server says farewell as well, and closes."""
    sock = server.connect()
    words = [ask(sock)]
    plain = sock.unwrap()
    words.append("farewell")
    words.append("end" if plain.recv(1) == b"" else "more")
    plain.close()
    return " ".join(words)


def carry(tls, incoming, outgoing, sock, pace, step, flush=True):
    """Carries records `pace` bytes at a time until the step succeeds; what it leaves to send may wait."""
    while True:
        try:
            result = step()
            wanting = False
        except ssl.SSLWantReadError:
            wanting = True
        data = outgoing.read() if wanting or flush else b""
        for at in range(0, len(data), pace):
            sock.sendall(data[at:at + pace])
        if not wanting:
            return result
        more = sock.recv(pace)
        if more:
            incoming.write(more)
        else:
            incoming.write_eof()


def half_close(server, *together):
    """Asks, says that nothing more will come, and only then reads. With `together` the end of the handshake, the
    request and the farewell leave in one piece, which TLS 1.3 allows."""
    incoming, outgoing, tls = server.by_hand()
    with server.plain() as sock:
        carry(tls, incoming, outgoing, sock, 65536, tls.do_handshake, flush=not together)
        tls.write(GET)
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        sock.sendall(outgoing.read())
        status, _ = receive(lambda n: carry(tls, incoming, outgoing, sock, 65536, lambda: tls.read(n)))
        try:
            rest = carry(tls, incoming, outgoing, sock, 65536, lambda: tls.read(1))
        except ssl.SSLZeroReturnError:
            rest = b""
        return f"{status} {'farewell' if rest == b'' else 'more'}"


def end_of_tcp(server):
    """Asks and ends its side of TCP without a farewell of TLS."""
    with server.connect() as sock:
        sock.sendall(GET)
        socket.socket.shutdown(sock, socket.SHUT_WR)
        return receive(sock.recv)[0]


def slow(server, pace):
    """Sends and reads so many bytes at a time, from the first of the handshake to the last of the page."""
    pace = int(pace)
    incoming, outgoing, tls = server.by_hand()
    with server.plain() as sock:
        carry(tls, incoming, outgoing, sock, pace, tls.do_handshake)
        tls.write(GET)
        status, body = receive(lambda n: carry(tls, incoming, outgoing, sock, pace, lambda: tls.read(n)))
        return f"{status} {b'demo_requests_total 3' in body}"


def hello(server):
    incoming, outgoing, tls = server.by_hand()
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def broken_off(server, where):
    """Leaves in the midst of a handshake."""
    bytes = hello(server)
    with server.plain() as sock:
        if where == "hello":
            sock.sendall(bytes[:100])
        elif where == "answer":
            sock.sendall(bytes)
            sock.recv(1)
        elif where == "one byte":
            sock.sendall(bytes[:1])
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    return "ended"


def silent(server, where):
    """Falls silent in the midst of a handshake and waits for the server to give up."""
    bytes = hello(server)
    sock = server.plain()
    sock.sendall({"nothing": b"", "hello": bytes[:100], "answer": bytes}[where])
    try:
        while sock.recv(65536):
            pass
        return "ended"
    except ConnectionResetError:
        return "reset"
    finally:
        sock.close()


def dripping(server):
    """Sends a handshake that never comes to an end, and waits for the server to give up."""
    head = hello(server)[:9]
    sock = server.plain()
    ended = threading.Event()

    def drip():
        try:
            sock.sendall(head)
            # Each byte is one more of the hello; it would take half a minute.
            while not ended.wait(0.05):
                sock.sendall(b"\0")
        except OSError:
            pass

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    ended.set()
    thread.join(PATIENCE)
    sock.close()
    return "ended"


def crowd(server, number):
    """So many clients that begin a handshake and fall silent; then one that scrapes."""
    bytes = hello(server)
    silent = [server.plain() for _ in range(int(number))]
    for sock in silent:
        try:
            sock.sendall(bytes[:50])
        except ConnectionError:
            # Already given up for another.
            pass
    answer = visit(server)
    for sock in silent:
        sock.close()
    return answer


def raw(server, text):
    """Sends the bytes, given in hexadecimal, and tells what comes back, likewise."""
    with server.plain() as sock:
        sock.sendall(bytes.fromhex(text))
        sock.shutdown(socket.SHUT_WR)
        data = b""
        try:
            while more := sock.recv(65536):
                data += more
        except ConnectionResetError:
            return "reset"
        return data.hex()


def altered(server, at):
    """Changes one byte of the record with the second request."""
    incoming, outgoing, tls = server.by_hand()
    with server.plain() as sock:
        carry(tls, incoming, outgoing, sock, 65536, tls.do_handshake)
        tls.write(GET)
        receive(lambda n: carry(tls, incoming, outgoing, sock, 65536, lambda: tls.read(n)))
        tls.write(GET)
        record = bytearray(outgoing.read())
        record[int(at)] ^= 1
        sock.sendall(record)
        return outcome(lambda: receive(
            lambda n: carry(tls, incoming, outgoing, sock, 65536, lambda: tls.read(n)))[0])


def main():
    for line in sys.stdin:
        command, port, ca, cert, key, tls, *more = line.rstrip("\n").split("\t")
        try:
            answer = globals()[command](Server(port, ca, cert, key, tls), *more)
        except Exception as error:
            answer = f"error: {type(error).__name__}: {error}".replace("\n", " ")
        print(answer, flush=True)


main()
