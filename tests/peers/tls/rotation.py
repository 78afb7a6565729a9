"""Replaces a server's certificate again and again while clients scrape, for the peer tests.

rotation.py MANNER ROUNDS PORT CA DIRECTORY NAME NAME

The directory holds NAME.pem and NAME.key of two pairs; the server has server.pem and server.key there, or both in
server.pem, and begins with the first. The manners:

together    certificate and key in one file, which is replaced in one step
key_first   the key is replaced, then the certificate: in between they do not belong together
in_place    both files are written over where they are, the key first
broken      a key that is none comes first, then the new pair

Each round checks what a new connection gets at each step. Prints one "name: value" line each, at the end.
"""
import os
import shutil
import socket
import ssl
import sys
import threading

PATIENCE = 20
manner, rounds, port, ca, directory, *names = sys.argv[1:]
address = ("127.0.0.1", int(port))
GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
os.chdir(directory)


def context(version=None):
    made = ssl.create_default_context(cafile=ca)
    if version:
        made.minimum_version = made.maximum_version = version
    return made


def connect(made, session=None):
    sock = socket.create_connection(address, PATIENCE)
    try:
        return made.wrap_socket(sock, server_hostname="localhost", session=session)
    except BaseException:
        sock.close()
        raise


def scrape(sock):
    sock.sendall(GET)
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            raise EOFError("no head")
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    while len(body) < length:
        more = sock.recv(65536)
        if not more:
            raise EOFError("a body is not whole")
        body += more
    if not head.startswith(b"HTTP/1.1 200 ") or b"\ndemo_requests_total 3\n" not in body:
        raise ValueError(head)


class Client(threading.Thread):
    """Scrapes until it is told to stop; counts."""

    def __init__(self, run, version):
        super().__init__(daemon=True)
        self.work = run
        self.version = version
        self.scrapes = 0
        self.resumed = 0
        self.failure = None

    def run(self):
        try:
            self.work(self, self.version)
        except Exception as error:
            self.failure = f"{self.work.__name__} {self.version}: {type(error).__name__}: {error}"


stop = threading.Event()


def kept(client, version):
    with connect(context(version)) as sock:
        while not stop.is_set():
            scrape(sock)
            client.scrapes += 1
            stop.wait(0.001)


def fresh(client, version):
    made = context(version)
    while not stop.is_set():
        with connect(made) as sock:
            scrape(sock)
        client.scrapes += 1


def resuming(client, version):
    made, session = context(version), None
    while not stop.is_set():
        with connect(made, session) as sock:
            scrape(sock)
            client.resumed += sock.session_reused
            session = sock.session
        client.scrapes += 1


def served():
    """The name of the pair that a new connection meets."""
    with connect(plain) as sock:
        der = sock.getpeercert(binary_form=True)
        scrape(sock)
    return next((name for name in names if ders[name] == der), "another")


def rename(source, target):
    """Puts a copy in place in one step."""
    shutil.copyfile(source, target + ".new")
    os.rename(target + ".new", target)


def expect(name, step):
    if served() != name:
        raise AssertionError(f"round {round}, {step}: not {name}")


def read(name):
    with open(name) as file:
        return file.read()


plain = context()
ders = {name: ssl.PEM_cert_to_DER_cert(read(name + ".pem")) for name in names}
for name in names:
    with open(name + ".both", "w") as both:
        both.write(read(name + ".pem") + read(name + ".key"))
VERSIONS = (None, ssl.TLSVersion.TLSv1_2)
clients = [Client(run, version) for run in (kept, fresh, resuming) for version in VERSIONS]
for client in clients:
    client.start()
failure = None
try:
    for round in range(int(rounds)):
        old, new = names[round % 2], names[(round + 1) % 2]
        if manner == "together":
            rename(new + ".both", "server.pem")
        elif manner == "key_first":
            rename(new + ".key", "server.key")
            expect(old, "the key alone")
            rename(new + ".pem", "server.pem")
        elif manner == "in_place":
            shutil.copyfile(new + ".key", "server.key")
            expect(old, "the key alone")
            shutil.copyfile(new + ".pem", "server.pem")
        elif manner == "broken":
            with open("broken", "w") as file:
                file.write("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
            rename("broken", "server.key")
            expect(old, "a broken key")
            os.unlink("server.key")
            expect(old, "no key")
            rename(old + ".key", "server.key")
            expect(old, "the key from before")
            rename(new + ".key", "server.key")
            rename(new + ".pem", "server.pem")
        expect(new, "the new pair")
except Exception as error:
    failure = f"{type(error).__name__}: {error}"
stop.set()
for client in clients:
    client.join(PATIENCE)
    failure = failure or client.failure or ("a client hangs" if client.is_alive() else None)
print(f"failure: {failure}".replace("\n", " "))
print(f"least scrapes: {min(client.scrapes for client in clients)}")
print(f"scrapes: {sum(client.scrapes for client in clients)}")
print(f"resumed: {sum(client.resumed for client in clients)}")
