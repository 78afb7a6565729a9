"""A device with made-up metrics and a browser in front of it: drives headless Chromium through its WebDriver.

    browser.py show FOLDER PROGRAM        the page of the program, with the metrics of the device
    browser.py open FOLDER URL METRICS    a page where it is, and the path of the metrics below it
    browser.py scriptless FOLDER URL      the same without scripts

Prints one line for each check: its name, a tab, and "ok" or what was found instead.
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
        self.delay = 0
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
        family("node_hwmon_in_lcrit_alarm_volts", "gauge", "Alarms.", ('{chip="soc_rpi_volt",sensor="in0"}', self.trouble / 1000))
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
        family("node_mmc_life_time_used_ratio", "gauge", "How worn it is.", *(
            (f'{{card="mmc0:0001",device="mmcblk0",type="{kind}"}}', 0.9 if self.trouble and kind == "B" else 0.8) for kind in "AB"))
        family("node_mmc_pre_eol_state", "gauge", "Spare blocks.", *(
            (f'{{card="mmc1:0001",device="mmcblk1",state="{state}"}}', int((state == "urgent") == self.trouble)) for state in ("normal", "urgent")))
        family("node_ubi_read_only", "gauge", "Whether it can only be read.", ('{device="ubi0"}', int(self.trouble)))
        for when, value in (("", 0), ("_since_boot", int(self.trouble))):
            family(f"node_raspberrypi_throttled{when}", "gauge", "Whether the board is held back.", *(
                (f'{{reason="{reason}"}}', value) for reason in ("throttled", "undervoltage")))
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
            (f'_bucket{{le="{bound}"}}', now) for bound in ("0.1", "1", "+Inf")), ("_sum", now), ("_count", now))
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
                time.sleep(device.delay)
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


TAB, ESCAPE, LEFT, HOME = "\ue004", "\ue00c", "\ue012", "\ue011"


def check(name, fits, found=""):
    print(name, "ok" if fits else f"FAILED {found}", sep="\t", flush=True)


def fetch(url):
    """The page of the program as a browser gets it: its header fields and its text."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers={"Accept": HTML}), timeout=20) as answer:
        kept = ("content-type", "vary", "cache-control", "content-security-policy", "x-content-type-options", "referrer-policy")
        return [(name, value) for name, value in answer.headers.items() if name.lower() in kept], answer.read()


def text(browser, selector):
    return browser.run("return document.querySelector(arguments[0])?.innerText ?? null", selector)


def choose(browser, seconds):
    browser.run("const field = document.getElementById('every'); field.value = arguments[0]; field.dispatchEvent(new Event('change'))", str(seconds))


PANELS = "[...document.querySelectorAll('#panels .card:not([hidden])')]"


def looks(browser, device):
    """What is there after a few answers."""
    check("it is live", browser.until("document.body.className == 'live'"), text(browser, "#state"))
    shown = browser.until(f"{PANELS}.length == 6 && {PANELS}.map((card) => card.innerText)") or []
    for title, part in (("CPU", "User"), ("Memory", "GiB"), ("Temperature", "nvme Composite"), ("Temperature", "cpu_thermal"),
                        ("Network", "eth0"), ("Network", "in "), ("Disk", "mmcblk0"), ("Pressure", "I/O")):
        check(f"panel {title} has {part.strip()}", any(card.startswith(title) and part in card for card in shown), shown)
    check("a loopback interface is left out", not any("\nlo\n" in card for card in shown), shown)
    check("a partition is left out", not any("mmcblk0p2" in card for card in shown), shown)
    lines = "[...document.querySelectorAll('path.edge')].every((line) => /^M[\\d. -]+L[\\d. L-]+/.test(line.getAttribute('d')))"
    check("every line has points", browser.until(lines), browser.run("return [...document.querySelectorAll('path')].map((line) => line.outerHTML)"))
    check("the axis is labelled", "100 %" in text(browser, "#panels .plot"), text(browser, "#panels .plot"))
    for selector, part in (("#host", "shed-gateway"), ("#board", "Raspberry Pi 4"), ("#facts", "4 d 1 h"), ("#facts", "bookworm"),
                           ("#facts", "6.6.51"), ("#files", "/boot/firmware"), ("#files summary", "2 in memory"),
                           ("#warnings", "No data from: bonding")):
        check(f"{selector} has {part}", part in (text(browser, selector) or ""), text(browser, selector))
    check("a device that is mounted twice is one", "/srv/very/long" not in text(browser, "#files"))
    check("nothing else is wrong", len(text(browser, "#warnings").splitlines()) == 1, text(browser, "#warnings"))
    check("the title is the host", browser.run("return document.title") == "shed-gateway")


def table(browser):
    check("rows are limited", browser.run("return rows.children.length") == 500 and "more" in text(browser, "#count"), text(browser, "#count"))
    field = browser.call("POST", "/element", {"using": "css selector", "value": "#filter"})
    field = next(iter(field.values()))
    browser.call("POST", f"/element/{field}/value", {"text": "hostile MARKUP"})
    check("the filter leaves what fits", browser.until("rows.children.length == 1"), text(browser, "#count"))
    row = text(browser, "#rows tr")
    check("markup is text", "<img src=x onerror=alert(1)>" in row and browser.run("return document.images.length") == 0, row)
    check("help is there", browser.run("return rows.querySelector('th').title") == "A help <b>text</b> with a line\nbreak.")
    check("rows have headers", browser.run("return rows.querySelector('th').scope + document.querySelectorAll('thead th[scope=col]').length") == "row4")
    for words, wanted in (("test_special nan", "NaN"), ("test_special up", "Inf"), ("test_wait_seconds_count", "histogram"), ("nothing at all", None)):
        browser.run("filter.value = arguments[0]; filter.dispatchEvent(new Event('input'))", words)
        found = text(browser, "#rows")
        check(f"the filter knows {words}", wanted in found if wanted else found == "", found)
    browser.run("filter.value = 'node_network_receive eth0'; filter.dispatchEvent(new Event('input'))")
    check("a counter has its rate", browser.until("/B\\/s/.test(rows.querySelector('td:nth-child(3)').innerText)"), text(browser, "#rows"))
    browser.run("filter.value = 'test_wait_seconds_count'; filter.dispatchEvent(new Event('input'))")
    check("a count has its rate", 0 < float(text(browser, "#rows td:nth-child(3)")) < 5, text(browser, "#rows"))
    browser.run("filter.value = ''; filter.dispatchEvent(new Event('input'))")


def keyboard(browser):
    browser.run("document.activeElement.blur(); scrollTo(0, 0)")
    reached = []
    for _ in range(14):
        browser.keys(TAB)
        reached.append(browser.run(
            "const here = document.activeElement, style = getComputedStyle(here);"
            "return [here.id || here.getAttribute('role') || here.tagName, style.outlineStyle != 'none' && style.outlineWidth != '0px']"))
    names = [name for name, _ in reached]
    for name, count in (("every", 1), ("slider", 6), ("SUMMARY", 1), ("filter", 1), ("region", 1), ("A", 2)):
        check(f"the tabulator reaches {name}", names.count(name) >= count, names)
    check("focus is seen", all(seen for name, seen in reached if name != "BODY"), reached)
    browser.run("document.querySelector('.plot').focus()")
    browser.keys(LEFT)
    said = browser.run("return document.activeElement.ariaValueText")
    check("an arrow reads out a point", bool(said) and ": User " in said and "%" in said, said)
    check("the cursor is there", browser.run("return [...document.querySelectorAll('.cursor')].filter((mark) => !mark.hidden).length") == 6)
    browser.keys(HOME)
    check("the first point has no rate", "\u2013" in browser.run("return document.activeElement.ariaValueText"))
    browser.keys(ESCAPE)
    check("escape takes the cursor away", browser.run("return document.querySelector('.cursor').hidden"))


def pointer(browser):
    browser.run("scrollTo(0, 0)")
    x, y = browser.run("const box = document.querySelector('.plot').getBoundingClientRect(); return [box.right - 2, box.top + 20].map(Math.round)")
    move = {"type": "pointerMove", "duration": 0, "x": x, "y": y}
    browser.call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [move]}]})
    check("the pointer reads out a time", browser.until("!document.querySelector('.cursor').hidden && /^\\d\\d:\\d\\d:\\d\\d$/.test(document.querySelector('.cursor').innerText)"))
    browser.call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [{**move, "x": 2, "y": 2}]}]})
    check("leaving takes it away", browser.until("document.querySelector('.cursor').hidden"))


def sizes(browser):
    for width in (360, 768, 1280, 1920):
        browser.size(width)
        wide = browser.run("return document.documentElement.scrollWidth")
        check(f"nothing sticks out at {width}", wide <= width, wide)
    browser.size(1280)
    colours = []
    for scheme in ("light", "dark"):
        browser.media(prefers_color_scheme=scheme)
        colours.append(browser.run("const style = getComputedStyle(document.body); return [style.backgroundColor, style.color]"))
    check("there is a light and a dark form", colours[0] != colours[1], colours)
    browser.media(forced_colors="active")
    dashes = browser.run("return getComputedStyle(document.querySelector('.edge.s1')).strokeDasharray")
    check("lines differ without colours", dashes != "none", dashes)
    browser.media()


def asking(browser, device):
    asked = device.asked
    browser.run("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true }); document.dispatchEvent(new Event('visibilitychange'))")
    choose(browser, 2)
    time.sleep(3)
    check("a hidden page does not ask", device.asked <= asked + 1, device.asked - asked)
    asked = device.asked
    browser.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    end = time.monotonic() + 10
    while device.asked == asked and time.monotonic() < end:
        time.sleep(0.1)
    check("a page that is seen again asks", device.asked > asked, device.asked - asked)
    device.delay = 2.5
    time.sleep(6)
    check("one question at a time", device.most_at_once == 1, device.most_at_once)
    device.delay = 0
    complaints = browser.complaints()
    check("the console is empty", complaints == [], complaints)
    device.trouble = True
    for part in ("supply voltage is too low", "since the start: throttled, undervoltage", "/srv is 95 % full", "/ has become read-only", "Flash is wearing out: mmcblk0, mmcblk1", "ubi0 has become read-only", "of memory left", "since the start: 2", "not synchronised"):
        check(f"a warning says {part}", browser.until(f"document.getElementById('warnings').innerText.includes({json.dumps(part)})"), text(browser, "#warnings"))
    device.trouble = False
    check("warnings go", browser.until("document.getElementById('warnings').children.length == 1"), text(browser, "#warnings"))
    device.failing = True
    check("silence is told", browser.until("/^No answer since \\d\\d:\\d\\d:\\d\\d \\(.*503.*\\); retrying$/.test(state_text())"), text(browser, "#state"))
    device.failing = False
    check("it comes back", browser.until("document.body.className == 'live'", 30), text(browser, "#state"))
    choose(browser, 0)
    check("it can be paused", browser.until("state_text() == 'Paused'"), text(browser, "#state"))


def show(folder, program):
    device = Device()
    fields, page = fetch(f"http://{program}/")
    port = serve(device, page, fields)
    with Browser(folder) as browser:
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", source="window.state_text = () => document.getElementById('state').textContent")
        browser.size(1280)
        browser.open(f"http://127.0.0.1:{port}/")
        looks(browser, device)
        table(browser)
        keyboard(browser)
        pointer(browser)
        sizes(browser)
        asking(browser, device)
        browser.open(f"http://127.0.0.1:{port}/below")
        check("the metrics are found without a slash", browser.until("document.body.className == 'live'"), text(browser, "#state"))
        link = browser.run("return document.querySelector('footer a').href")
        check("so are the links", link == f"http://127.0.0.1:{port}/below/metrics", link)


def open_page(folder, url, metrics):
    with Browser(folder) as browser:
        browser.size(1280)
        browser.open(url)
        check("it is live", browser.until("document.body.className == 'live'"), text(browser, "#state"))
        check("rows are there", browser.until("rows.children.length > 10"), text(browser, "#count"))
        base = url.rstrip("/") + "/"
        links = browser.run("return [...document.querySelectorAll('footer a')].map((link) => link.href)")
        check("the links are below the page", links == [base + metrics, f"{base}-/healthy"], links)
        complaints = browser.complaints()
        check("the console is empty", complaints == [], complaints)


def scriptless(folder, url):
    with Browser(folder, script=False) as browser:
        browser.open(url)
        root = next(iter(browser.call("POST", "/element", {"using": "css selector", "value": "main"}).values()))
        said = browser.call("GET", f"/element/{root}/text")
        check("it says what is missing", "This page needs a script" in said, said)
        links = browser.call("POST", "/elements", {"using": "css selector", "value": "main a, footer a"})
        found = [browser.call("GET", f"/element/{next(iter(link.values()))}/property/href") for link in links]
        shown = [browser.call("GET", f"/element/{next(iter(link.values()))}/displayed") for link in links]
        check("the links are there", found == [url + "metrics", url + "-/healthy"] * 2 and all(shown), (found, shown))
        control = next(iter(browser.call("POST", "/element", {"using": "css selector", "value": "#control"}).values()))
        check("what needs a script is hidden", not browser.call("GET", f"/element/{control}/displayed"))


if __name__ == "__main__":
    # Ended from outside it ends its browser.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    {"show": show, "open": open_page, "scriptless": scriptless}[sys.argv[1]](*sys.argv[2:])
