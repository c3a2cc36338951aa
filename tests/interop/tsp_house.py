# SPDX-License-Identifier: BSD-2-Clause
"""causewayd as a child of the test, and the Test Anything Protocol. A case is a function; it fails by
raising. CW_BUILDDIR: the build; CW_WORK: a folder of ours, with the plugins in plugins/."""
import os
import re
import signal
import subprocess
import sys
import time
import traceback

from tsp_wire import Broken, need

BUILD = os.environ["CW_BUILDDIR"]
WORK = os.environ["CW_WORK"]
DAEMON = os.path.join(BUILD, "causewayd")
BAD = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error|Assertion|\bassert\b|stack smashing")

TEP = 'tep "edge1" { plugin = "null"  ipv4 = "192.0.2.1"  ipv6 = "2001:db8::1" }\n'
POOL = ('pool "default" { range = { "198.51.100.0/24" }  exclude = { "198.51.100.0/30" }'
        '  tep = "edge1"  lifetime = 3600  lifetime-min = 1  quarantine = 0 }\n')


class Broker:
    """conf: without the folders. Everything is below a folder of its own."""

    brokers = []

    def __init__(self, name, conf):
        self.dir = os.path.join(WORK, name)
        os.makedirs(os.path.join(self.dir, "state"), mode=0o700)
        self.conf = os.path.join(self.dir, "conf")
        self.log_path = os.path.join(self.dir, "log")
        self.child = None
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write('state-dir = "%s/state"\nrun-dir = "%s"\nplugin-dir = "%s/plugins"\n%s' % (
                self.dir, self.dir, WORK, conf))
        Broker.brokers.append(self)

    def start(self):
        with open(self.log_path, "ab") as log:
            before = log.tell()
            # A sanitizer's memory grows by what it keeps in quarantine.
            env = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1")
            self.child = subprocess.Popen([DAEMON, "--config", self.conf, "--foreground"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        end = time.monotonic() + 30
        while "event=ready" not in self.log()[before:]:
            need(self.child.poll() is None, "causewayd ended: " + self.log()[-2000:])
            need(time.monotonic() < end, "causewayd is not ready: " + self.log()[-2000:])
            time.sleep(0.02)
        self.ready = next(l for l in self.log()[before:].splitlines() if "event=ready" in l)
        return self

    def port(self, key, host="[::1]"):
        m = re.search(r"(?:\s|^)%s=\"?(?:[^\s\"]*,)?%s:([0-9]+)" % (key, re.escape(host)), self.ready)
        need(m, "no %s in %r" % (key, self.ready))
        return int(m[1])

    def tcp(self, host="::1"):
        return (host, self.port("tsp", "[%s]" % host if ":" in host else host))

    def udp(self, host="::1"):
        return (host, self.port("tsp-udp", "[%s]" % host if ":" in host else host))

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="surrogateescape") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, text, seconds=5):
        end = time.monotonic() + seconds
        while text not in self.log():
            need(time.monotonic() < end, "not in the log: " + text)
            time.sleep(0.02)

    def sql(self, query):
        return subprocess.run(["sqlite3", "-readonly", self.dir + "/state/causeway.db", query],
            check=True, capture_output=True, text=True, timeout=20).stdout.split()

    def leases(self):
        """Live ones: a lease that ends is gone when its tunnel end point has said so."""
        return int(self.sql("SELECT count(*) FROM lease WHERE state = 1")[0])

    def wait_leases(self, n, seconds=5):
        end = time.monotonic() + seconds
        while self.leases() != n:
            need(time.monotonic() < end, "%d leases, not %d" % (self.leases(), n))
            time.sleep(0.05)

    def settled(self):
        """As many leases as before the case."""
        self.wait_leases(self.base)

    def rss_kib(self):
        with open("/proc/%d/status" % self.child.pid, encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+([0-9]+)", f.read())[1])

    def files(self):
        return len(os.listdir("/proc/%d/fd" % self.child.pid))

    def stop(self, seconds=5.0):
        """SIGTERM; it must end in time, with status 0 and without a sanitizer's report."""
        if not self.child:
            return
        child, self.child = self.child, None
        begin = time.monotonic()
        alive = child.poll() is None
        child.send_signal(signal.SIGTERM)
        try:
            status = child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise Broken("had to be killed") from None
        took = time.monotonic() - begin
        need(alive and status == 0, "status %d; %s" % (status, self.log()[-3000:]))
        need(took <= seconds, "took %.1f s to end" % took)
        need(not BAD.search(self.log()), "reports in the log: " + self.log()[-6000:])

    def check(self, option):
        """Another run of the program; (status, output)."""
        r = subprocess.run([DAEMON, "--config", self.conf, option], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
        return r.returncode, r.stdout


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def case(self, what, fn, *args):
        self.count += 1
        begin = time.monotonic()
        running = [b for b in Broker.brokers if b.child]
        try:
            for b in running:
                b.base = b.leases()
            fn(*args)
            for b in running:  # whatever it did, it left no lease
                if b.child:
                    b.settled()
            print("ok %d - %s" % (self.count, what))
        except Exception as e:  # whatever it is, the other cases go on
            self.failed += 1
            print("not ok %d - %s" % (self.count, what))
            text = "%s: %s" % (type(e).__name__, e)
            for line in (text + "\n" + traceback.format_exc()).splitlines():
                print("# " + line[:400])
        if time.monotonic() - begin > 5:
            print("# %s took %.1f s" % (what, time.monotonic() - begin))
        sys.stdout.flush()

    def done(self):
        for b in Broker.brokers:  # those a failed case has left
            if b.child and b.child.poll() is None:
                b.child.kill()
                b.child.wait()
        print("1..%d" % self.count)
        return 1 if self.failed else 0
