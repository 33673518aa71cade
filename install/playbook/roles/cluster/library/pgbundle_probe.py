"""Connects to a cluster as an application does, and as its operator: through the VIP, to each PgBouncer, and to each
PostgreSQL; and writes a row through the VIP that has to arrive everywhere. Needs psycopg2, and Python 3.9."""

DOCUMENTATION = r"""
module: pgbundle_probe
short_description: Use a cluster as its applications do
description: >-
  Tells for each way into the cluster whether it works. A failing connection is a finding and never a failure of the module. The
  one thing that is written, a table with one row, is gone when the module ends.
options:
  vip: {type: str, required: true, description: Address that applications connect to.}
  primary_port: {type: int, required: true, description: Its port for reading and writing.}
  replica_port: {type: int, required: true, description: Its port for reading.}
  replicas: {type: int, required: true, description: How many replicas are up.}
  fallback: {type: bool, required: true, description: Whether the port for reading leads to the leader while no replica is up.}
  poolers: {type: list, elements: dict, required: true, description: "PgBouncers: name, address."}
  pooler_port: {type: int, required: true, description: Their port.}
  members: {type: list, elements: dict, required: true, description: "PostgreSQL servers: name, address."}
  port: {type: int, required: true, description: Their port.}
  database: {type: str, required: true, description: Where to connect, and to write.}
  user: {type: str, required: true, description: Who connects; owns the database.}
  password: {type: str, required: true, description: The user's password.}
  parts: {type: list, elements: str, default: [sql, replication], description: What to try.}
  timeout: {type: int, default: 20, description: Seconds that an answer, and the row's way to a member, may take.}
author: [pgbundle]
"""

RETURN = r"""
checks: {type: list, returned: always, description: "what was tried: check, ok, says"}
"""

import select
import time
import uuid

from ansible.module_utils.basic import AnsibleModule

try:
    import psycopg2
    import psycopg2.extensions
except ImportError:
    psycopg2 = None

TABLE = "_pgbundle_verify"
# The table comes and goes without waiting for a standby; the row is what is tried.
ALONE = "begin; set local synchronous_commit = local; {}; commit"


class Cluster:
    """The ways into a cluster."""

    def __init__(self, want):
        self.want = want
        self.checks = []
        self.end = 0.0

    def tell(self, check, good, says):
        """Keep a finding."""
        self.checks.append({"check": check, "ok": bool(good), "says": says})

    def wait(self, link):
        """Wait for the server, but not for ever: with strict synchronous mode and no standby a write never ends."""
        while True:
            state = link.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            left = self.end - time.monotonic()
            reading = state == psycopg2.extensions.POLL_READ
            if left <= 0 or not any(select.select([link] if reading else [], [] if reading else [link], [], left)):
                if link.status == psycopg2.extensions.STATUS_READY:
                    link.cancel()  # a commit that waits for a standby would hold its locks, and come later after all
                raise psycopg2.OperationalError(f"no answer within {self.want['timeout']} s")

    def ask(self, host, port, *statements):
        """The last statement's first row. Each connection is a new one, since a balancer chooses per connection."""
        self.end = time.monotonic() + self.want["timeout"]
        psycopg2.extensions.set_wait_callback(self.wait)
        link = psycopg2.connect(host=host, port=port, dbname=self.want["database"], user=self.want["user"],
                                password=self.want["password"], application_name="pgbundle verify-cluster")
        try:
            link.autocommit = True
            with link.cursor() as cursor:
                for statement in statements:
                    cursor.execute(*statement) if isinstance(statement, tuple) else cursor.execute(statement)
                return cursor.fetchone() if cursor.description else None
        finally:
            link.close()

    def write(self, *statements):
        """Ask through the VIP's port for writing."""
        return self.ask(self.want["vip"], self.want["primary_port"], *statements)

    def sql(self):
        """Through the VIP and to each PgBouncer."""
        vip = self.want["vip"]
        try:
            replica = self.write("select pg_is_in_recovery()")[0]
            self.tell("sql", not replica, f"{vip}:{self.want['primary_port']} leads to {'a replica' if replica else 'the leader'}")
        except psycopg2.Error as error:
            self.tell("sql", False, f"{vip}:{self.want['primary_port']}: {_line(error)}")
        self.readers()
        for pooler in self.want["poolers"]:
            try:
                self.ask(pooler["address"], self.want["pooler_port"], "select 1")
                self.tell("sql", True, f"PgBouncer of {pooler['name']} answers")
            except psycopg2.Error as error:
                self.tell("sql", False, f"PgBouncer of {pooler['name']}: {_line(error)}")

    def readers(self):
        """The VIP's port for reading must lead to replicas while there are any, however often it is tried."""
        where = f"{self.want['vip']}:{self.want['replica_port']}"
        leaders, tries = 0, 2 * max(1, len(self.want["members"]))
        for _ in range(tries):
            try:
                leaders += not self.ask(self.want["vip"], self.want["replica_port"], "select pg_is_in_recovery()")[0]
            except psycopg2.Error as error:
                quiet = not self.want["replicas"] and not self.want["fallback"]
                self.tell("sql", quiet, f"{where}: no replica is up, and nobody answers" if quiet else f"{where}: {_line(error)}")
                return
        if self.want["replicas"]:
            self.tell("sql", not leaders, f"{where} leads to replicas" if not leaders else
                      f"{where} led to the leader {leaders} times of {tries} although replicas are up")
        else:
            self.tell("sql", self.want["fallback"], f"{where} leads to the leader: no replica is up")

    def replication(self):
        """A row that is written through the VIP arrives at each member."""
        token = str(uuid.uuid4())
        try:
            position = self.write(
                ALONE.format(f"drop table if exists {TABLE}; create table {TABLE} (token text)"),
                (f"insert into {TABLE} values (%s)", (token,)), "select pg_current_wal_lsn()")[0]
            self.tell("replication", True, f"a row was written through {self.want['vip']}:{self.want['primary_port']}")
        except psycopg2.Error as error:
            self.tell("replication", False, f"no row can be written through {self.want['vip']}:{self.want['primary_port']}: {_line(error)}")
            self.drop()
            return
        try:
            for member in self.want["members"]:
                self.arrived(member, token, position)
        finally:
            self.drop()

    def drop(self):
        """Leave nothing, also of a write that went wrong half way."""
        try:
            self.write(ALONE.format(f"drop table if exists {TABLE}"))
        except psycopg2.Error as error:
            self.tell("replication", False, f"the table {TABLE} could not be dropped: {_line(error)}")

    def arrived(self, member, token, position):
        """Wait until the member has replayed the write, then look for the row."""
        start = time.monotonic()
        try:
            while True:
                behind = self.ask(member["address"], self.want["port"], (
                    "select case when pg_is_in_recovery() then pg_wal_lsn_diff(%s::pg_lsn, pg_last_wal_replay_lsn()) else 0 end", (position,)))[0]
                if behind is not None and behind <= 0:
                    break
                if time.monotonic() - start > self.want["timeout"]:
                    self.tell("replication", False, f"{member['name']} has not replayed the write after {self.want['timeout']} s"
                              + (f" and is {behind} bytes behind" if behind is not None else ""))
                    return
                time.sleep(0.1)
            rows = self.ask(member["address"], self.want["port"], (f"select count(*) from {TABLE} where token = %s", (token,)))[0]
            self.tell("replication", rows == 1, f"the row is on {member['name']}" if rows == 1 else f"the row is on {member['name']} {rows} times")
        except psycopg2.Error as error:
            self.tell("replication", False, f"PostgreSQL of {member['name']}: {_line(error)}")


def _line(error):
    return " ".join(str(error).split())


def main():
    """Try it all, and tell."""
    number, text, nodes = {"type": "int", "required": True}, {"type": "str", "required": True}, {"type": "list", "elements": "dict", "required": True}
    module = AnsibleModule(
        argument_spec={
            "vip": text, "primary_port": number, "replica_port": number, "replicas": number, "fallback": {"type": "bool", "required": True},
            "poolers": nodes, "pooler_port": number, "members": nodes, "port": number, "database": text, "user": text,
            "password": {"type": "str", "required": True, "no_log": True},
            "parts": {"type": "list", "elements": "str", "default": ["sql", "replication"]}, "timeout": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    cluster = Cluster(module.params)
    if psycopg2 is None:
        cluster.tell("sql", False, "the Python that Ansible runs here has no psycopg2: install python3-psycopg2 (site.yml --tags common)")
    else:
        if "sql" in module.params["parts"]:
            cluster.sql()
        if "replication" in module.params["parts"] and not module.check_mode:
            cluster.replication()
    module.exit_json(changed=False, checks=cluster.checks)


if __name__ == "__main__":
    main()
