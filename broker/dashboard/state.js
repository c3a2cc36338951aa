// SPDX-License-Identifier: BSD-2-Clause
// The one place that remembers. What comes from the API goes in with set(), views are drawn from what is here, and a change
// of it is what makes them drawn again.
export const state = {
	boot: "starting", // starting, login, ready
	session: null, // as GET /v1/session has it
	loginError: null,
	version: null,
	connection: { ok: true, retryAt: 0, since: 0 },
	route: { name: "", params: {} },
	data: null, // of the view that is shown
	loadedAt: 0,
	loading: false,
	error: null,
	live: { status: "off", events: [] },
	rates: [], // {at, grants, ends}, oldest first
	menu: false,
	ui: {}, // what a view wants to keep until the address is another one
};

const readers = new Set();
let queued = false;

export function onChange(fn) {
	readers.add(fn);
}

export function set(change) {
	Object.assign(state, change);
	if (queued)
		return;
	queued = true;
	queueMicrotask(() => {
		queued = false;
		readers.forEach((fn) => fn(state));
	});
}

export function setUi(change) {
	set({ ui: { ...state.ui, ...change } });
}

export function setLive(change) {
	set({ live: { ...state.live, ...change } });
}

// What is shown is no longer so: somebody (main.js) loads it again.
let again = () => {};
export const onStale = (fn) => (again = fn);
export const stale = () => again();

// RESOURCE:write includes RESOURCE:read.
export function can(scope) {
	const have = state.session?.scopes ?? [];
	const [resource, how] = scope.split(":");
	return have.includes("admin") || have.includes(scope) || (how === "read" && have.includes(`${resource}:write`));
}
