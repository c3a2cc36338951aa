// SPDX-License-Identifier: BSD-2-Clause
// The event stream: follows it as long as somebody is logged in, and goes on behind the last event it has seen.
import { newest, stream } from "/assets/api.js";
import { setLive, state } from "/assets/state.js";

const KEEP = 200;
const FIRST = 20;
let running = null;

function add(events) {
	const known = new Set(state.live.events.map((e) => e.id));
	const fresh = events.filter((e) => !known.has(e.id));
	if (fresh.length)
		setLive({ events: [...fresh, ...state.live.events].sort((a, b) => b.id - a.id).slice(0, KEEP) });
}

// A burst is one change of the page.
let waiting = [];
let timer = 0;
function addSoon(event) {
	waiting.push(event);
	timer ||= setTimeout(() => {
		timer = 0;
		add(waiting.splice(0));
	}, 100);
}

const pause = (ms, signal) => new Promise((done) => {
	const t = setTimeout(done, ms);
	signal.addEventListener("abort", () => (clearTimeout(t), done()), { once: true });
});

async function follow(signal) {
	let wait = 1000;
	while (!signal.aborted) {
		try {
			const last = state.live.events[0]?.id;
			for await (const e of stream("/v1/events", { lastId: last, signal })) {
				if (e.type === "open") {
					setLive({ status: "live" });
					wait = 1000;
					// Opened first, read then: nothing falls between; doubles are dropped.
					if (last === undefined)
						newest("/v1/events", {}, FIRST).then(({ items }) => add(items), () => {});
				} else if (e.type !== "lagged" && e.data) {
					addSoon(JSON.parse(e.data));
				}
			}
		} catch (e) {
			if (e.status === 401 || e.status === 403) {
				setLive({ status: "off" });
				return;
			}
		}
		if (signal.aborted)
			return;
		setLive({ status: "lost" });
		await pause(wait, signal);
		wait = Math.min(wait * 2, 15000);
	}
}

// Begins with the newest: what came meanwhile may be very much.
export function startLive() {
	stopLive();
	running = new AbortController();
	setLive({ status: "connecting", events: [] });
	follow(running.signal);
}

export function stopLive() {
	running?.abort();
	running = null;
}
