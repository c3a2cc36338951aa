# SPDX-License-Identifier: BSD-2-Clause
"""Drives a headless Chromium over the DevTools protocol, on its pipe: nothing but the standard library. What goes wrong in the
page (exceptions, console errors, violations of its security policy, requests to elsewhere) is collected in Page.faults."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


class Browser:
	def __init__(self, program="chromium"):
		self.folder = tempfile.mkdtemp(prefix="causeway-browser.")
		to_child, self.to = os.pipe()
		self.come, from_child = os.pipe()
		flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
				 "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--mute-audio",
				 "--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir=" + self.folder, "--window-size=1280,900",
				 "about:blank"]
		# The pipe's ends are 3 (in) and 4 (out): moved out of the way first, lest one is where the other belongs.
		script = 'exec 8<&%d 9>&%d; exec 3<&8 4>&9 8<&- 9>&-; exec "$@"' % (to_child, from_child)
		self.process = subprocess.Popen(["sh", "-c", script, "sh", program, *flags], pass_fds=(to_child, from_child),
										stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
										env=dict(os.environ, HOME=self.folder))
		os.close(to_child)
		os.close(from_child)
		self.serial = 0
		self.answers = {}
		self.listeners = []
		self.rest = b""

	def pump(self, seconds):
		"""Reads what has come within that time; True if something did."""
		ready, _, _ = select.select([self.come], [], [], seconds)
		if not ready:
			return False
		data = os.read(self.come, 1 << 20)
		if not data:
			raise RuntimeError("the browser has gone")
		*messages, self.rest = (self.rest + data).split(b"\0")
		for message in map(json.loads, messages):
			if "id" in message:
				self.answers[message["id"]] = message
			else:
				for fn in self.listeners:
					fn(message.get("sessionId"), message["method"], message["params"])
		return True

	def call(self, method, params=None, session=None, seconds=30):
		self.serial += 1
		mine = self.serial
		message = {"id": mine, "method": method, "params": params or {}}
		if session:
			message["sessionId"] = session
		os.write(self.to, json.dumps(message).encode() + b"\0")
		end = time.monotonic() + seconds
		while mine not in self.answers:
			if time.monotonic() > end:
				raise TimeoutError(method)
			self.pump(0.2)
		answer = self.answers.pop(mine)
		if "error" in answer:
			raise RuntimeError("%s: %s" % (method, answer["error"]["message"]))
		return answer["result"]

	def close(self):
		try:
			self.call("Browser.close", seconds=10)
			self.process.wait(10)
		except (RuntimeError, TimeoutError, OSError, subprocess.TimeoutExpired):
			self.process.kill()
			self.process.wait()
		shutil.rmtree(self.folder, ignore_errors=True)


class Page:
	def __init__(self, browser, base):
		self.browser = browser
		self.base = base
		self.faults = []
		self.forgiven = ()  # texts of faults that the test provokes
		target = browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
		self.session = browser.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
		browser.listeners.append(self.listen)
		for domain in ("Page", "Runtime", "Log", "Network"):
			self.call(domain + ".enable")

	def call(self, method, params=None):
		return self.browser.call(method, params, self.session)

	def listen(self, session, method, params):
		if session != self.session:
			return
		if method == "Runtime.exceptionThrown":
			details = params["exceptionDetails"]
			self.fault("exception: " + details.get("exception", {}).get("description", details["text"]))
		elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
			self.fault("console: " + " ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
		elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
			entry = params["entry"]
			self.fault("%s: %s %s" % (entry["source"], entry["text"], entry.get("url", "")))
		elif method == "Network.requestWillBeSent":
			url = params["request"]["url"]
			if not url.startswith((self.base, "data:", "about:", "blob:")):
				self.fault("a request to elsewhere: " + url)

	def fault(self, text):
		if not any(f in text for f in self.forgiven):
			self.faults.append(text)

	def eval(self, expression):
		result = self.call("Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True})
		if "exceptionDetails" in result:
			raise RuntimeError(result["exceptionDetails"].get("exception", {}).get("description", "exception") + " in " + expression)
		return result["result"].get("value")

	def wait(self, expression, seconds=10):
		"""True as soon as it is true, False if it never was."""
		end = time.monotonic() + seconds
		while time.monotonic() < end:
			try:
				if self.eval(expression):
					return True
			except RuntimeError:
				pass  # between two documents
			self.browser.pump(0.05)
		return False

	def open(self, path):
		self.call("Page.navigate", {"url": self.base + path})

	def text(self, selector="body"):
		return self.eval("document.querySelector(%s)?.innerText ?? ''" % json.dumps(selector))

	def shows(self, text, selector="body", seconds=10):
		return self.wait("document.querySelector(%s)?.innerText.includes(%s)" % (json.dumps(selector), json.dumps(text)), seconds)

	def point(self, find):
		"""The middle of the element an expression names, scrolled into view; None without one."""
		return self.eval("(() => { const e = %s; if (!e) return null; e.scrollIntoView({block: 'center'});"
						 "const r = e.getBoundingClientRect(); return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })()" % find)

	def click(self, text, within="body", tag="a, button, summary"):
		"""A real mouse click on the control with this text."""
		find = ("[...document.querySelector(%s).querySelectorAll(%s)].find(e => e.innerText.trim() === %s && e.checkVisibility())"
				% (json.dumps(within), json.dumps(tag), json.dumps(text)))
		if not self.wait("Boolean(%s)" % find):
			raise RuntimeError("there is no control %r in %s" % (text, within))
		# Nothing is in front of it: a question that has just been answered, say.
		self.wait("(e => { e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
			"return e.contains(document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2)); })(%s)" % find)
		at = self.point(find)
		for kind in ("mousePressed", "mouseReleased"):
			self.call("Input.dispatchMouseEvent", {"type": kind, "x": at["x"], "y": at["y"], "button": "left", "clickCount": 1})

	def type(self, selector, text):
		if not self.wait("Boolean(document.querySelector(%s))" % json.dumps(selector)):
			raise RuntimeError("there is no " + selector)
		self.eval("(e => { e.focus(); e.select?.(); })(document.querySelector(%s))" % json.dumps(selector))
		self.call("Input.insertText", {"text": text})

	def key(self, key, code=None, text=None, shift=False):
		codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
		event = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes.get(key, 0), "modifiers": 8 if shift else 0}
		if key == "Enter":
			text = "\r"
		self.call("Input.dispatchKeyEvent", dict(event, type="keyDown", **({"text": text} if text else {})))
		self.call("Input.dispatchKeyEvent", dict(event, type="keyUp"))

	def look(self, dark=False, width=1280, height=900):
		self.call("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
		self.call("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})

	def shot(self, path, full=True):
		data = self.call("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": full})["data"]
		with open(path, "wb") as f:
			f.write(base64.b64decode(data))
