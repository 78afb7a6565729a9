"""A device with made-up metrics and a browser in front of it: drives headless Chromium through its WebDriver.

Called with the address of the program, whose page is shown, and the folder for the browser's files. Prints one line
for each check: its name, a tab, and "ok" or what was found instead.
"""

import http.server
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Device:
    """Metrics of a small board that advance with time."""

    def __init__(self, speed=1):
        self.start = time.monotonic()
        self.speed = speed
        self.failing = False
        self.trouble = False
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0

    def metrics(self):
        now = (time.monotonic() - self.start) * self.speed
        lines = []

        def family(name, kind, help_text, *samples):
            lines.append(f"# HELP {name} {help_text}")
            lines.append(f"# TYPE {name} {kind}")
            lines.extend(f"{name}{labels} {value}" for labels, value in samples)

        def wave(period, phase=0.0):
            """The integral of a rate between 0 and 1."""
            turn = 2 * math.pi * now / period + phase
            return now / 2 - period / (4 * math.pi) * (math.cos(turn) - math.cos(phase))

        family("node_boot_time_seconds", "gauge", "Unix time of the start.", ("", time.time() - now - 350_000))
        user, system, wait, soft = [], [], [], []
        samples = []
        for cpu in range(4):
            user = 0.45 * wave(170 + 9 * cpu, cpu) + 0.04 * wave(13, cpu)
            system = 0.12 * wave(90, cpu) + 0.03 * now
            wait = 0.1 * wave(240, 2)
            soft = 0.06 * wave(60, 1)
            rest = {"user": user, "system": system, "iowait": wait, "softirq": soft, "nice": 0.001 * now}
            rest["idle"] = now - sum(rest.values())
            samples += [(f'{{cpu="{cpu}",mode="{mode}"}}', 1000 + value) for mode, value in sorted(rest.items())]
        family("node_cpu_seconds_total", "counter", "Seconds that the CPUs spent in each mode.", *samples)
        family("node_devicetree_info", "gauge", "The board.", ('{model="Raspberry Pi 4 Model B Rev 1.5"}', 1))
        for name, rate in (("read_bytes", 4e5), ("written_bytes", 2.2e6)):
            samples = [(f'{{device="{device}"}}', int(part * rate * wave(period, len(name)) + 1e9))
                       for device, part, period in (("mmcblk0", 1, 80), ("mmcblk0p2", 1, 80), ("sda", 0.4, 150))]
            family(f"node_disk_{name}_total", "counter", "Bytes of each device.", *samples)
        disks = [("/dev/mmcblk0p2", "ext4", "/", 31.2e9, 0.44), ("/dev/mmcblk0p1", "vfat", "/boot/firmware", 535e6, 0.15),
                 ("/dev/sda1", "btrfs", "/srv", 2e12, 0.95 if self.trouble else 0.71), ("/dev/sda1", "btrfs", "/srv/very/long", 2e12, 0.7),
                 ("tmpfs", "tmpfs", "/run", 388e6, 0.02), ("tmpfs", "tmpfs", "/dev/shm", 1.9e9, 0)]
        for name, value in (("size", lambda size, used: size), ("free", lambda size, used: size * (1 - used)),
                            ("avail", lambda size, used: size * (1 - used) * 0.97)):
            family(f"node_filesystem_{name}_bytes", "gauge", "Of each file system.", *(
                (f'{{device="{device}",device_error="",fstype="{kind}",mountpoint="{place}"}}', int(value(size, used)))
                for device, kind, place, size, used in disks))
        family("node_filesystem_readonly", "gauge", "Whether it can only be read.", *(
            (f'{{device="{device}",device_error="",fstype="{kind}",mountpoint="{place}"}}', int(self.trouble and place == "/"))
            for device, kind, place, *_ in disks))
        family("node_hwmon_chip_names", "gauge", "Names of chips.", ('{chip="thermal_thermal_zone0",chip_name="cpu_thermal"}', 1),
               ('{chip="nvme_nvme0",chip_name="nvme"}', 1))
        family("node_hwmon_in_lcrit_alarm_volts", "gauge", "Alarms.", ('{chip="soc_rpi_volt",sensor="in0"}', int(self.trouble)))
        family("node_hwmon_sensor_label", "gauge", "Labels.", ('{chip="nvme_nvme0",label="Composite",sensor="temp1"}', 1))
        family("node_hwmon_temp_celsius", "gauge", "Temperatures.",
               ('{chip="nvme_nvme0",sensor="temp1"}', round(38 + 2 * math.sin(now / 200), 1)),
               ('{chip="thermal_thermal_zone0",sensor="temp1"}', round(52 + 6 * math.sin(now / 90) + math.sin(now / 7), 1)))
        for number, load in ((1, 0.7 + 0.3 * math.sin(now / 60)), (15, 0.52), (5, 0.61)):
            family(f"node_load{number}", "gauge", "Load.", ("", round(load, 2)))
        total = 3.9e9
        free = total * (0.21 + 0.04 * math.sin(now / 100))
        usable = total * (0.04 if self.trouble else 0.58 + 0.08 * math.sin(now / 130))
        for name, value in (("MemAvailable", usable), ("MemFree", min(free, usable)), ("MemTotal", total)):
            family(f"node_memory_{name}_bytes", "gauge", "Memory.", ("", int(value)))
        for name, rate in (("receive", 2.4e6), ("transmit", 5e5)):
            samples = [(f'{{device="{device}"}}', int(part * rate * wave(period, len(device)) + 5e9))
                       for device, part, period in (("br-lan", 0.9, 140), ("eth0", 1, 140), ("lo", 3, 50), ("wlan0", 0.35, 75),
                                                    ("wlan1", 0.05, 75), ("wg0", 0.01, 75))]
            family(f"node_network_{name}_bytes_total", "counter", "Bytes of each device.", *samples)
        family("node_os_info", "gauge", "The system.", ('{id="debian",pretty_name="Debian GNU/Linux 12 (bookworm)"}', 1))
        for kind, part in (("cpu", 0.14), ("io", 0.08), ("memory", 0.01)):
            family(f"node_pressure_{kind}_waiting_seconds_total", "counter", "Time that tasks waited.", ("", part * wave(110, len(kind)) + 50))
        family("node_scrape_collector_success", "gauge", "Whether a collector succeeded.", ('{collector="bonding"}', 0), ('{collector="cpu"}', 1))
        family("node_time_seconds", "gauge", "Unix time.", ("", time.time()))
        family("node_timex_sync_status", "gauge", "Whether the clock is synchronised.", ("", int(not self.trouble)))
        family("node_uname_info", "gauge", "Names.", (
            '{domainname="(none)",machine="aarch64",nodename="shed-gateway",release="6.6.51+rpt-rpi-v8",sysname="Linux",version="#1 SMP"}', 1))
        family("node_vmstat_oom_kill", "untyped", "Processes ended for want of memory.", ("", 2 if self.trouble else 0))
        family("test_hostile_info", "gauge", r"A help <b>text</b> with a line\nbreak.",
               (r'{quote="a\"b\\c",markup="<img src=x onerror=alert(1)>",__proto__="x}y"}', 1))
        family("test_special", "gauge", "Values that are no numbers.", ('{is="nan"}', "NaN"), ('{is="up"}', "+Inf"), ('{is="down"}', "-Inf"))
        family("test_wait_seconds", "histogram", "A histogram.", *(
            (f'_bucket{{le="{bound}"}}', int(now)) for bound in ("0.1", "1", "+Inf")))
        lines[-3:] = [line.replace("seconds_bucket", "seconds_bucket") for line in lines[-3:]]
        lines += [f"test_wait_seconds_sum {now}", f"test_wait_seconds_count {int(now)}"]
        family("test_many", "gauge", "More series than are shown.", *((f'{{number="{number}"}}', number) for number in range(700)))
        family("scrapeport_build_info", "gauge", "The program.", ('{version="0.1.0"}', 1))
        return "\n".join(lines) + "\n"


def serve(device, page, fields):
    """A server that gives this page, and the device's metrics at every other path."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def log_message(self, *_):
            pass

        def do_GET(self):
            path = self.path.split("?")[0]
            if path in ("/", "/below/", "/below"):
                status, body, headers = 200, page() if callable(page) else page, fields
            elif device.failing:
                status, body, headers = 503, b"no\n", [("Content-Type", "text/plain")]
            else:
                device.asked += 1
                device.at_once += 1
                device.most_at_once = max(device.most_at_once, device.at_once)
                time.sleep(device.delay if hasattr(device, "delay") else 0)
                status, body, headers = 200, device.metrics().encode(), [("Content-Type", "text/plain; version=0.0.4")]
                device.at_once -= 1
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


class Browser:
    """A session of headless Chromium. It ends with the `with` block, and with the program."""

    def __init__(self, folder, script=True, width=1280, height=900):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={port}", "--log-level=SEVERE"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.root = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                if self.call("GET", "/status")["ready"]:
                    break
            except OSError:
                time.sleep(0.05)
        options = {
            "binary": "/usr/bin/chromium",
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--no-proxy-server", f"--user-data-dir={folder}/profile-{os.getpid()}-{port}",
                     f"--window-size={width},{height}", "--hide-scrollbars", "--disable-background-networking"],
        }
        if not script:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        session = self.call("POST", "/session", {"capabilities": wanted})
        self.root += f"/session/{session['sessionId']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("DELETE", "")
        except OSError:
            pass
        # Chromium is in the group of its driver, which is its session's leader.
        try:
            os.killpg(self.driver.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        try:
            self.driver.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.driver.pid, signal.SIGKILL)
            self.driver.wait(5)

    def call(self, method, path, body=None):
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.root + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None

    def devtools(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script, seconds=20):
        """Waits until the expression is true; false if it never is."""
        end = time.monotonic() + seconds
        while not (value := self.run(f"return {script}")):
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return value

    def keys(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def size(self, width, height=900):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def media(self, **features):
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def complaints(self):
        """What the browser has put into its console."""
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})]
