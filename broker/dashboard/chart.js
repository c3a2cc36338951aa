// SPDX-License-Identifier: BSD-2-Clause
// Small drawings in SVG, with presentation attributes and classes only: the page's policy allows no inline style.
import { count, local, percentUsed, span } from "/assets/format.js";
import { h, s } from "/assets/dom.js";

const W = 600;
const H = 120;

const used = (sample, total) => percentUsed({ total, available: sample.available });

// Points into path pieces; a gap of more than three steps is a gap (the broker did not run).
function pieces(samples, stepMs, x, y) {
	const out = [];
	let last = -Infinity;
	for (const p of samples) {
		const at = Date.parse(p.at);
		if (at - last > 3 * stepMs)
			out.push([]);
		out.at(-1).push([x(at), y(p)]);
		last = at;
	}
	return out;
}

const d = (points) => points.map(([px, py], i) => `${i ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");

// How full a pool was. samples: GET samples; total: how many there are; low: the percent at which it is told.
export function usageChart(samples, total, { low = 0, name, big = false }) {
	const to = Date.parse(samples.to);
	// A young broker: what there is, not a day of nothing before it; an hour at least.
	const from = Math.max(Date.parse(samples.from), Math.min(to - 3600e3, Date.parse(samples.items[0]?.at ?? samples.from)));
	const x = (at) => (W * (at - from)) / Math.max(1, to - from);
	const y = (p) => H - 2 - ((H - 4) * used(p, total)) / 100;
	const lineOf = (percent) => H - 2 - ((H - 4) * percent) / 100;
	const parts = total > 0 ? pieces(samples.items, samples.step_s * 1000, x, y).filter((p) => p.length) : [];
	const values = samples.items.map((p) => used(p, total));

	if (!parts.length)
		return h("p", { class: "empty small" }, "No samples of this time yet: the broker takes one a minute.");
	const svg = s("svg", {
		viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", class: big ? "chart big" : "chart", role: "img",
		"aria-label": `${name}: use from ${local(new Date(from).toISOString())} to ${local(samples.to)}, between `
			+ `${Math.round(Math.min(...values))} and ${Math.round(Math.max(...values))} percent`,
	},
	[25, 50, 75].map((p) => s("line", { x1: 0, x2: W, y1: lineOf(p), y2: lineOf(p), class: "grid" })),
	parts.map((p) => {
		if (p.length === 1)
			p.push([p[0][0] + 3, p[0][1]]);
		return [
			s("path", { d: `${d(p)}L${p.at(-1)[0].toFixed(1)} ${H}L${p[0][0].toFixed(1)} ${H}Z`, class: "area" }),
			s("path", { d: d(p), class: "line" }),
		];
	}),
	low ? s("line", { x1: 0, x2: W, y1: lineOf(low), y2: lineOf(low), class: "low" }) : null);
	const figure = h("figure", {
		class: "usage",
		onpointermove: (e) => point(e, samples, total, from, to),
		onpointerleave: (e) => e.currentTarget.querySelector("output").replaceChildren(),
	},
	h("div", { class: "plot" }, svg, low && big ? h("span", { class: "ylow" }, `low at ${low} %`) : null),
	h("figcaption", {}, h("span", {}, `${span((to - from) / 1000)} ago`), h("output", {}), h("span", {}, "now")));
	return figure;
}

function point(e, samples, total, from, to) {
	const box = e.currentTarget.querySelector("svg").getBoundingClientRect();
	const at = from + ((e.clientX - box.left) / box.width) * (to - from);
	let best = null;
	for (const p of samples.items)
		if (!best || Math.abs(Date.parse(p.at) - at) < Math.abs(Date.parse(best.at) - at))
			best = p;
	if (best)
		e.currentTarget.querySelector("output").textContent
			= `${local(best.at).slice(0, 16)}: ${used(best, total).toFixed(1)} %, ${count(best.active)} active`;
}

// A bar of parts: [[class, value, label]].
export function stack(parts, total, label) {
	let at = 0;
	const shown = parts.filter(([, n]) => n > 0);
	return s("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", class: "stack", role: "img", "aria-label": label },
		s("rect", { x: 0, y: 0, width: 1000, height: 10, class: "rest" }),
		shown.map(([name, n]) => {
			const width = Math.min(1000 - at, Math.max(3, (1000 * n) / Math.max(1, total)));
			const rect = s("rect", { x: at.toFixed(2), y: 0, width: width.toFixed(2), height: 10, class: `part ${name}` });
			at += width;
			return rect;
		}));
}

// The last values of a rate, as a line.
export function spark(values, label) {
	const max = Math.max(...values, 1e-9);
	const step = 100 / Math.max(1, values.length - 1);
	const points = values.map((v, i) => [i * step, 27 - (24 * v) / max]);
	return s("svg", { viewBox: "0 0 100 28", preserveAspectRatio: "none", class: "spark", role: "img", "aria-label": label },
		points.length > 1 ? s("path", { d: d(points), class: "line" }) : null);
}

// Who had an address when: rows of [{from, to, label, live, href}].
export function timeline(rows, from, to) {
	const x = (at) => Math.min(1000, Math.max(0, (1000 * (at - from)) / Math.max(1, to - from)));
	const height = rows.length * 14 + 2;
	return s("svg", { viewBox: `0 0 1000 ${height}`, height, preserveAspectRatio: "none", class: "timeline", "aria-hidden": "true" },
		rows.map((r, i) => s("rect", {
			x: x(r.from).toFixed(1), y: i * 14 + 2, height: 10, rx: 2,
			width: Math.max(4, x(r.to) - x(r.from)).toFixed(1), class: r.live ? "bar live" : "bar",
		})));
}
