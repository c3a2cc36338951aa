// SPDX-License-Identifier: BSD-2-Clause
// The way round: the address bar names a view, the view loads what it shows into the state, the state is drawn.
import { Problem, Unreachable, call, get, useCsrf } from "/assets/api.js";
import { patch } from "/assets/dom.js";
import { startLive, stopLive } from "/assets/live.js";
import { drawShell } from "/assets/shell.js";
import { can, onChange, onStale, set, state } from "/assets/state.js";
import { overview } from "/assets/overview.js";
import { find } from "/assets/find.js";
import { pools } from "/assets/pools.js";
import { pool } from "/assets/pool.js";
import { lease, leases } from "/assets/leases.js";
import { teps } from "/assets/teps.js";
import { audit, events } from "/assets/events.js";
import { jobs } from "/assets/jobs.js";
import { tokens, users } from "/assets/users.js";

const VIEWS = { overview, find, pools, "pools/": pool, leases, "leases/": lease, teps, events, audit, jobs, users, tokens };
const RETRY_MS = [1000, 2000, 4000, 8000, 15000];

let turn = 0; // of the load that counts
let timer = 0;
let tries = 0;

function parse() {
	const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
	const params = {};
	for (const [name, value] of new URLSearchParams(search ?? ""))
		params[name] = value;
	try {
		const [first, ...rest] = path.split("/").map(decodeURIComponent);
		if (rest.length && VIEWS[`${first}/`])
			return { name: `${first}/`, id: rest.join("/"), params };
		return { name: VIEWS[first] ? first : "overview", params };
	} catch {
		return { name: "overview", params };
	}
}

function later(ms) {
	clearTimeout(timer);
	timer = setTimeout(reload, ms);
}

function lost() {
	const wait = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)];
	set({ loading: false, connection: { ok: false, since: state.connection.since || Date.now(), retryAt: Date.now() + wait } });
	later(wait);
}

function found() {
	tries = 0;
	if (!state.connection.ok)
		set({ connection: { ok: true, retryAt: 0, since: 0 } });
}

function loggedOut(note = null) {
	stopLive();
	useCsrf(null);
	set({ boot: "login", session: null, loginError: note, data: null, error: null, loading: false });
}

// Loads what the view shows; what was asked for by an older address is dropped.
async function reload() {
	clearTimeout(timer);
	if (state.boot === "starting")
		return begin();
	if (state.boot !== "ready")
		return undefined;
	const mine = ++turn;
	const view = VIEWS[state.route.name];
	if (!can(view.scope)) {
		set({ error: { code: "insufficient-scope", scope: view.scope }, loading: false, data: null });
		return undefined;
	}
	set({ loading: true });
	try {
		const data = await view.load(state.route, state);
		if (mine !== turn)
			return undefined;
		found();
		set({ data, error: null, loading: false, loadedAt: Date.now() });
	} catch (e) {
		if (mine !== turn)
			return undefined;
		if (e instanceof Unreachable || (e instanceof Problem && [502, 503, 504].includes(e.status)))
			return lost();
		found();
		if (e.status === 401)
			return loggedOut("Your session has ended. Log in again.");
		set({ loading: false, error: e, data: e.status === 404 ? null : state.data });
		if (!(e instanceof Problem))
			console.error(e);
	}
	later(document.hidden ? 60000 : (view.every ?? 10) * 1000);
	return undefined;
}

function go() {
	const route = parse();
	const first = state.route.name === "";
	const moved = route.name !== state.route.name || route.id !== state.route.id;
	const changed = JSON.stringify(route.params) !== JSON.stringify(state.route.params);
	set({ route, menu: false, ...(moved || changed ? { data: null, error: null, ui: {} } : {}) });
	document.title = `${VIEWS[route.name].title} – Causeway`;
	if (moved && !first)
		queueMicrotask(() => {
			document.getElementById("title")?.focus({ preventScroll: true });
			window.scrollTo(0, 0);
		});
	reload();
}

async function begin() {
	try {
		const session = await get("/v1/session");
		useCsrf(session.csrf_token);
		found();
		set({ session, boot: "ready" });
		get("/version").then((version) => set({ version }), () => {});
		if (can("leases:read"))
			startLive();
		go();
	} catch (e) {
		if (e.status === 401 || e.status === 403) {
			found();
			return loggedOut();
		}
		return lost();
	}
	return undefined;
}

async function login(token) {
	try {
		await call("POST", "/v1/session", { body: { token } });
		set({ boot: "starting", loginError: null });
		await begin();
	} catch (e) {
		set({ loginError: e.status === 401 ? "This token is unknown, has expired, or is not good from here." : e.message });
	}
}

async function logout() {
	try {
		await call("DELETE", "/v1/session");
	} finally {
		loggedOut();
	}
}

const doors = { login, logout, reload, views: VIEWS };

onStale(reload);
onChange(() => patch(document.getElementById("app"), drawShell(state, doors)));
window.addEventListener("hashchange", () => state.boot === "ready" && go());
// A tab nobody looks at follows no events: a browser has six connections to a broker, for all its tabs.
document.addEventListener("visibilitychange", () => {
	if (state.boot !== "ready")
		return;
	if (document.hidden) {
		stopLive();
		return;
	}
	if (can("leases:read"))
		startLive();
	reload();
});
window.addEventListener("online", () => reload());
// "in 5 min" moves on by itself, and so does the wait for a broker that is gone.
setInterval(() => (state.boot === "ready" || !state.connection.ok) && !document.hidden && set({}), 1000);
set({});
begin();
