"use strict";
// Asks for the metrics and shows them. What a metric says becomes text of the page, never markup.

const KEPT = 600; // seconds of points
const MOST_POINTS = 320;
const MOST_SERIES = 2e4;
const MOST_ROWS = 500;
const PATIENCE = 1e4; // milliseconds for an answer

const $ = (id) => document.getElementById(id);
const set = (element, text) => element.textContent !== text && (element.textContent = text);

function on(element, events, what) {
	for (const event of events.split(" ")) element.addEventListener(event, what);
}

function build(tag, ...parts) {
	const [name, kind = ""] = tag.split(".");
	const element = document.createElement(name);
	element.className = kind;
	element.append(...parts);
	return element;
}

const sum = (a, b) => a + b;
const texts = ({ children }, texts) => texts.forEach((text, at) => set(children[at], text));

// As many children as items; those that are there are kept.
function fill(parent, items, create, update) {
	while (parent.children.length > items.length) parent.lastChild.remove();
	items.forEach((item, at) => update(parent.children[at] || parent.appendChild(create()), item));
}

// The text format

const ABOUT = /^# (HELP|TYPE) (\S+) ?(.*)/;
const LINE = /^([a-zA-Z_:][\w:]*)(\{.*\})?[ \t]+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const series = new Map(); // by name and labels as they are written
let names = new Map(); // the series of each name
let dropped = 0;

const unescaped = (text) => text.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));

function read(text, at) {
	let family = {};
	names = new Map();
	dropped = 0;
	for (const line of text.split("\n")) {
		const [, word, about, rest] = ABOUT.exec(line) || [];
		if (word && about !== family.name) family = { name: about };
		if (word) family[word] = unescaped(rest);
		const [, name, written = "", number] = LINE.exec(line) || [];
		if (!name) continue;
		const key = name + written;
		const one = series.get(key) || { name, written, labels: {} };
		if (!one.at) {
			if (series.size >= MOST_SERIES && ++dropped) continue;
			for (const [, label, value] of written.matchAll(LABEL)) one.labels[label] = unescaped(value);
			series.set(key, one);
		}
		const exact = name === family.name;
		const own = exact || (name.startsWith(family.name) && /histogram|summary/.test(family.TYPE));
		const value = Number(number.replace("Inf", "Infinity"));
		const grows = own && (!exact || family.TYPE === "counter") && value >= one.value && at > one.at;
		one.rate = grows ? (value - one.value) / (at - one.at) : undefined;
		Object.assign(one, { at, number, value, type: own && family.TYPE || "untyped", help: own && family.HELP || "" });
		if (!names.has(name)) names.set(name, []);
		names.get(name).push(one);
	}
	for (const [key, one] of series) if (one.at !== at) series.delete(key);
}

const node = (name) => names.get("node_" + name) || [];
const first = (name) => node(name)[0]?.value;
const info = (name) => node(name + "_info")[0]?.labels || {};
const beside = (name, one) => series.get("node_" + name + one.written);

// Numbers for people

function scaled(value, base, units) {
	let at = 0;
	for (; value >= base && at < units.length - 1; at++) value /= base;
	return `${value.toFixed(at && value < 9.95 && value % 1 ? 1 : 0)} ${units[at]}`;
}
const bytes = (value) => scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
const speed = (value) => scaled(value, 1000, ["B/s", "kB/s", "MB/s", "GB/s"]);
const percent = (value) => `${value.toFixed(value % 1 && value < 9.95 ? 1 : 0)} %`;
const celsius = (value) => `${value.toFixed(value % 1 ? 1 : 0)} \u00b0C`;
const clock = (date) => date.toLocaleTimeString("en-GB");

function duration(seconds) {
	const [days, hours, minutes] = [seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60].map(Math.floor);
	return days ? `${days} d ${hours} h` : `${hours} h ${minutes} min`;
}

function plain(value, digits = 6) {
	if (Number.isInteger(value)) return value.toLocaleString("en").replace(/,/g, "\u2009");
	return String(Number(value.toPrecision(digits))).replace("inity", "");
}

function shown({ name, value }) {
	if (/_bytes(_total)?$/.test(name) && value < Infinity) return bytes(value);
	if (/time_seconds$/.test(name) && value > 1e9 && value < 1e11) return new Date(value * 1000).toLocaleString("sv");
	return plain(value);
}

// What the panels show: values by name, pairs for two directions

const MODES = { user: 0, nice: 0, system: 1, iowait: 2, idle: 4 };

function cpu() {
	const parts = [0, 0, 0, 0, 0];
	for (const { labels: { mode }, rate = 0 } of node("cpu_seconds_total")) if (!/guest/.test(mode)) parts[MODES[mode] ?? 3] += rate;
	const whole = parts.reduce(sum);
	return whole ? ["User", "System", "I/O wait", "Other"].map((name, at) => [name, 100 * parts[at] / whole]) : [];
}

const field = (name) => first(`memory_${name}_bytes`) || 0;
const available = () => field("MemAvailable") || field("MemFree") + field("Buffers") + field("Cached");

function memory() {
	const [total, free] = [field("MemTotal"), field("MemFree")];
	const cache = Math.max(available() - free, 0);
	return total ? [["Used", total - free - cache], ["Cache", cache], ["Free", free]] : [];
}

const pairs = (one, other, left) => () => node(one)
	.filter(({ labels, rate }) => rate >= 0 && !left.test(labels.device))
	.map((here) => [here.labels.device, [here.rate, -beside(other, here)?.rate || 0]]);
const network = pairs("network_receive_bytes_total", "network_transmit_bytes_total", /^lo$/);
// Partitions are counted with their disk.
const disk = pairs("disk_read_bytes_total", "disk_written_bytes_total", /^(loop|z?ram|fd|x?[hsv]d[a-z]+)\d|^(mmcblk|nvme).*(p\d|boot|rpmb)/);

function temperatures() {
	const sensors = node("hwmon_temp_celsius");
	const of = (name, key, chip, sensor) => node(name).find(({ labels }) => labels.chip === chip && (!sensor || labels.sensor === sensor))?.labels[key];
	const found = sensors.map(({ labels: { chip, sensor }, value }) => {
		const alone = sensors.filter(({ labels }) => labels.chip === chip).length < 2;
		const what = of("hwmon_sensor_label", "label", chip, sensor) ?? (alone ? "" : sensor);
		return [`${of("hwmon_chip_names", "chip_name", chip) || chip} ${what}`, value];
	});
	for (const { labels: { zone, type }, value } of node("thermal_zone_temp")) {
		// The kernel shows most zones as chips, too.
		if (!sensors.some(({ labels }) => labels.chip === "thermal_thermal_zone" + zone)) found.push([`${type} ${zone}`, value]);
	}
	return found.filter(([, value]) => Number.isFinite(value));
}

const pressure = () => [["CPU", "cpu"], ["Memory", "memory"], ["I/O", "io"]]
	.map(([name, kind]) => [name, node(`pressure_${kind}_waiting_seconds_total`)[0]?.rate * 100])
	.filter(([, value]) => value >= 0)
	.map(([name, value]) => [name, Math.min(value, 100)]);

const PANELS = [
	{ title: "CPU", kind: "stack", read: cpu, unit: percent, top: () => 100, now: (values) => percent(values.reduce(sum)) },
	{ title: "Memory", kind: "stack", read: memory, unit: bytes, top: () => field("MemTotal"), drawn: 2, now: ([used, cache, free]) => percent(100 * used / (used + cache + free)) },
	{ title: "Temperature", kind: "line", read: temperatures, unit: celsius, now: (values) => celsius(Math.max(...values)) },
	{ title: "Network", note: "in above, out below", kind: "pair", ways: ["in", "out"], read: network, unit: speed, least: 1e4, most: 4 },
	{ title: "Disk", note: "read above, write below", kind: "pair", ways: ["read", "write"], read: disk, unit: speed, least: 1e5, most: 4 },
	{ title: "Pressure", note: "time spent waiting", kind: "line", read: pressure, unit: percent, least: 5 },
];
const points = []; // { at, date, values: a map for each panel }

// Plots

let cursor; // the time that is read out

// The seconds that are shown: what there is, a minute at least.
const span = () => Math.min(Math.max(points.at(-1).at - points[0].at, 60), KEPT);
const x = (at) => 1000 * (1 - (points.at(-1).at - at) / span());

function nice(value) {
	const power = 10 ** Math.floor(Math.log10(value));
	return power * [1, 2, 4, 6, 8, 10].find((step) => step * power > value * 0.999);
}

// The place of the point that is read out.
function nearest() {
	if (cursor === undefined) return points.length - 1;
	const far = points.map(({ at }) => Math.abs(at - cursor));
	return far.indexOf(Math.min(...far));
}

function seek(at) {
	cursor = at;
	for (const plot of plots) plot.tell();
}

// A panel with its plot: { draw, tell }.
function plot({ title, note = "", kind, ways, unit, top, least, drawn, now, most = 6 }, place) {
	const card = $("plot").content.firstElementChild.cloneNode(true);
	const [caption, head, field, begin, legend] = card.querySelectorAll("h2, .now, .plot, .x :first-child, .legend");
	const [svg, mark, ...ticks] = field.children;
	const sides = ways ? [0, 1] : [0];
	const say = (value) => unit(Math.abs(value));
	const said = (value) => value === undefined ? "\u2013" : ways ? ways.map((way, at) => way + " " + say(value[at])).join("\u2002") : unit(value);
	let names = [], others;

	caption.append(title, build("small", note));
	card.classList.add(kind);
	field.ariaLabel = title + " at a time";
	on(field, "pointermove pointerdown", (event) => {
		const { left, width } = field.getBoundingClientRect();
		seek(points.at(-1).at - span() * (1 - (event.clientX - left) / width));
	});
	on(field, "pointerleave", (event) => event.pointerType === "mouse" && seek());
	on(field, "blur", () => seek());
	on(field, "keydown", (event) => {
		const last = points.length - 1;
		const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -last, End: last }[event.key];
		if (event.key === "Escape") seek();
		if (!step) return;
		event.preventDefault();
		const { at, date, values } = points[Math.min(Math.max(nearest() + step, 0), last)];
		seek(at);
		field.ariaValueNow = Math.round(at - points[last].at);
		field.ariaValueText = `${clock(date)}: ${names.map((name) => `${name} ${said(values[place].get(name))}`).join(", ")}`;
	});
	$("panels").append(card);

	// Which names are drawn: of many the greatest.
	function choose() {
		const sums = new Map();
		for (const { values } of points) for (const [name, value] of values[place]) sums.set(name, [value].flat().map(Math.abs).reduce(sum, sums.get(name) || 0));
		const enough = [...sums.values()].sort((a, b) => b - a)[most - 1] || 0;
		names = [...sums.keys()].filter((name) => sums.get(name) >= enough).slice(0, most);
		others = sums.size - names.length;
	}

	// The ends of the axis.
	function scale() {
		if (top) return [0, top()];
		const values = points.flatMap(({ values }) => names.flatMap((name) => values[place].get(name) ?? []));
		const [low, high] = [Math.min(...values), Math.max(...values)];
		if (!least) return [10 * Math.floor((low - 5) / 10), 10 * Math.ceil((high + 5) / 10)];
		const [up, down] = [high, -low].map((value) => nice(Math.max(value, least)));
		return ways ? [-Math.max(down, up / 4), Math.max(up, down / 4)] : [0, up];
	}

	// Stretches of points without a gap.
	function runs(name) {
		const found = [];
		let before = -Infinity;
		for (const point of points) if (point.values[place].has(name)) {
			if (point.at - before > 16) found.push([]);
			found.at(-1).push(point);
			before = point.at;
		}
		return found;
	}

	function draw() {
		choose();
		card.hidden = !names.length;
		if (card.hidden) return;
		const [low, high] = scale();
		const y = (value) => 100 * (high - value) / (high - low);
		const marks = [high, ways ? 0 : (low + high) / 2, low];
		ticks.forEach((tick, at) => {
			tick.style.top = `${y(marks[at])}%`;
			set(tick.firstChild, ways ? say(marks[at]) : unit(marks[at]));
		});
		set(begin, span() < 100 ? `${Math.round(span())} s ago` : `${Math.round(span() / 60)} min ago`);
		const paths = names.slice(0, drawn).flatMap((name, order) => {
			let [area, edge] = ["", ""];
			for (const side of sides) for (const run of runs(name)) {
				const line = run.map(({ at, values: { [place]: map } }) => {
					const base = kind === "stack" ? names.slice(0, order).map((lower) => map.get(lower)).reduce(sum, 0) : 0;
					return [base + [map.get(name)].flat()[side], base].map((value) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`);
				});
				const up = "M" + line.map(([up]) => up).join("L");
				edge += up;
				area += `${up}L${line.reverse().map(([, base]) => base).join("L")}Z`;
			}
			return [["area", order, area], ["edge", order, edge]];
		});
		fill(svg, paths, () => svg.firstChild.cloneNode(), (path, [kind, order, line]) => {
			path.setAttribute("class", `${kind} s${order}`);
			path.setAttribute("d", line);
		});
		tell();
	}

	// Writes the values of the cursor's time, or of now.
	function tell() {
		if (card.hidden) return;
		const { at, date, values: { [place]: map } } = points[nearest()];
		mark.hidden = cursor === undefined;
		mark.style.left = `${x(at) / 10}%`;
		mark.classList.toggle("late", x(at) > 500);
		set(mark.firstChild, clock(date));
		set(head, now && map.size ? now([...map.values()]) : "");
		const items = names.map((name, at) => [at < (drawn ?? 9) ? `s${at}` : "", name, said(map.get(name))]);
		if (others > 0) items.push(["", `and ${others} more`, ""]);
		fill(legend, items, () => build("li", build("b"), build("span")), (line, [kind, ...words]) => {
			line.className = kind;
			texts(line, words);
		});
	}

	return { draw, tell };
}

const plots = PANELS.map(plot);

// File systems

function fileSystems() {
	const found = new Map();
	for (const one of node("filesystem_size_bytes")) {
		const { device, mountpoint, fstype } = one.labels;
		const [free, avail, readonly] = ["free_bytes", "avail_bytes", "readonly"].map((name) => beside("filesystem_" + name, one)?.value || 0);
		const used = one.value - free;
		const part = 100 * used / (used + avail || 1);
		const brief = /tmpfs|ramfs|efivarfs/.test(fstype);
		// The shortest path stands for all mounts of a device.
		const key = brief ? mountpoint : `${device} ${one.value}`;
		if (!one.value || found.get(key)?.mountpoint.length <= mountpoint.length) continue;
		const text = `${bytes(used)} of ${bytes(one.value)}, ${percent(part)}${readonly ? ", read-only" : ""} \u00b7 ${fstype}`;
		found.set(key, { mountpoint, part, avail, readonly, text, full: part > 90 && !readonly, folded: brief && part < 70 });
	}
	return [...found.values()];
}

function showFiles(files) {
	$("files").hidden = !files.length;
	$("files").querySelectorAll("ul").forEach((list, folded) => {
		const mine = files.filter((file) => +file.folded === folded);
		if (folded) set(list.previousElementSibling, `${mine.length} in memory`);
		list.parentNode.hidden = !mine.length;
		fill(list, mine, () => build("li", build("p", build("b"), build("small")), build("div", build("i"))), (item, file) => {
			set(item.querySelector("b"), file.mountpoint);
			set(item.querySelector("small"), file.text);
			item.querySelector("i").style.width = `${file.part}%`;
			item.className = file.full ? "full" : "";
		});
	});
}

// What needs attention

const writable = new Set();

function warnings(files) {
	const found = [];
	const which = (name, label, wanted) => node(name).filter(({ value }) => value === wanted).map(({ labels }) => labels[label]).join(", ");
	const [now, before] = ["", "_since_boot"].map((when) => which("raspberrypi_throttled" + when, "reason", 1));
	if (now || before) found.push(now ? `The board is held back: ${now}` : `The board was held back since the start: ${before}`);
	if (node("hwmon_in_lcrit_alarm_volts").some(({ value }) => value)) found.push("The supply voltage is too low");
	const worn = [...node("mmc_life_time_used_ratio"), ...node("mmc_pre_eol_state")].filter(({ labels, value }) => value >= 0.9 && labels.state !== "normal");
	if (worn[0]) found.push("Flash is wearing out: " + [...new Set(worn.map(({ labels }) => labels.device))].join(", "));
	const stuck = which("ubi_read_only", "device", 1);
	if (stuck) found.push(stuck + " has become read-only");
	for (const { mountpoint, part, avail, readonly, full } of files) {
		if (!readonly) writable.add(mountpoint);
		else if (writable.has(mountpoint)) found.push(`${mountpoint} has become read-only`);
		if (full) found.push(`${mountpoint} is ${percent(part)} full, ${bytes(avail)} left`);
	}
	if (available() < field("MemTotal") / 10) found.push(`Only ${bytes(available())} of memory left`);
	const killed = first("vmstat_oom_kill");
	if (killed) found.push(`Processes ended for want of memory since the start: ${killed}`);
	if (first("timex_sync_status") === 0) found.push("The clock is not synchronised");
	const failed = which("scrape_collector_success", "collector", 0);
	if (failed) found.push("No data from: " + failed);
	fill($("warnings"), found, () => build("li"), (item, text) => {
		item.className = text.startsWith("No ") ? "note" : "";
		set(item, text);
	});
}

// Header and table

function facts() {
	const [uname, os, tree, dmi, openwrt] = ["uname", "os", "devicetree", "dmi", "openwrt"].map(info);
	document.title = uname.nodename || location.hostname;
	set($("host"), document.title);
	set($("board"), tree.model || openwrt.model || [dmi.system_vendor, dmi.product_name].join(" ").trim());
	const loads = ["load1", "load5", "load15"].map(first);
	const up = first("time_seconds") - first("boot_time_seconds");
	const found = [
		["Uptime", up >= 0 && duration(up)],
		["Load, 1, 5, 15 min", loads[2] >= 0 && loads.map((load) => load.toFixed(2)).join("\u2002")],
		["Processors", new Set(node("cpu_seconds_total").map(({ labels }) => labels.cpu)).size],
		["System", os.pretty_name || openwrt.release],
		["Kernel", uname.release && `${uname.sysname} ${uname.release} ${uname.machine}`],
	].filter(([, text]) => text);
	fill($("facts"), found, () => build("div", build("dt"), build("dd")), texts);
}

function table() {
	const words = $("filter").value.toLowerCase().split(/\s+/);
	const found = [...series.values()].filter(({ name, written, help }) => words.every((word) => `${name}${written} ${help}`.toLowerCase().includes(word)));
	const rows = found.slice(0, MOST_ROWS);
	const rest = found.length - rows.length + dropped;
	set($("count"), `${plain(rows.length)} shown${rest ? `, ${plain(rest)} more` : ""}`);
	const create = () => build("tr", build("th", build("b"), build("span")), build("td"), build("td"), build("td"));
	fill($("rows"), rows, create, ({ children: [head, value, rate, type] }, one) => {
		head.scope = "row";
		set(head.firstChild, one.name);
		set(head.lastChild, one.written);
		head.title = one.help;
		set(value, shown(one));
		value.title = one.number;
		set(rate, one.rate === undefined ? "" : /_bytes_/.test(one.name) ? speed(one.rate) : plain(one.rate, 4));
		set(type, one.type);
	});
}

// Asking

// The path may end without a slash.
const base = location.pathname.replace(/\/?$/, "/");
const metrics = base + document.links[0].getAttribute("href");
for (const link of document.links) link.href = base + link.getAttribute("href");

let timer, answered, busy, failures = 0;
const every = () => +$("every").value;

function state(kind, text) {
	document.body.className = kind;
	set($("state"), text);
}

function show(text, at) {
	read(text, at);
	answered = new Date();
	points.push({ at, date: answered, values: PANELS.map(({ read }) => new Map(read())) });
	while (points.length > MOST_POINTS || points[0].at < at - KEPT) points.shift();
	const files = fileSystems();
	facts();
	warnings(files);
	for (const plot of plots) plot.draw();
	showFiles(files);
	$("table").hidden = false;
	table();
}

async function poll() {
	if (busy || document.hidden) return;
	busy = true;
	try {
		const answer = await fetch(metrics, { headers: { Accept: "text/plain;version=0.0.4" }, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
		const at = performance.now() / 1000;
		if (!answer.ok) throw Error(`status ${answer.status}`);
		show(await answer.text(), at);
		failures = 0;
		state("live", "Live");
	} catch (error) {
		failures++;
		state("lost", `No answer ${answered ? "since " + clock(answered) : "yet"} (${error.message}); retrying`);
	}
	busy = false;
	schedule();
}

// Rates need two answers: the second comes soon. Who does not answer is asked ever less often.
function schedule() {
	clearTimeout(timer);
	if (!every()) return state("", "Paused");
	const wait = failures ? Math.min(every() * 2 ** failures, 60) : points.length < 2 ? 1 : every();
	timer = setTimeout(poll, wait * 1000);
}

$("control").hidden = false;
on($("filter"), "input", table);
on($("every"), "change", () => every() ? poll() : schedule());
on(document, "visibilitychange", () => every() && poll());
poll();
