# Tells pgbundle how a playbook goes on: one JSON object a line, to the file
# descriptor that PGBUNDLE_EVENTS_FD names. Without that it is silent.
#
# An event never holds a module's arguments, a diff, or anything that a task
# with no_log said; texts are bounded. install/deploy/events.go reads them.

from __future__ import (absolute_import, division, print_function)
__metaclass__ = type

DOCUMENTATION = '''
name: pgbundle_events
type: notification
short_description: events of a playbook as JSON lines
description:
  - Writes what happens in a playbook as JSON lines to an inherited file descriptor.
requirements:
  - enabling in configuration
options: {}
'''

import json
import os
import threading

from ansible.playbook.block import Block
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback import CallbackBase

ENVIRONMENT = 'PGBUNDLE_EVENTS_FD'
MAX_NAME = 300      # characters of a name
MAX_MESSAGE = 4000  # characters of a message
MAX_CUSTOM = 1 << 20  # bytes of what set_stats has kept

# What modules say when they say nothing.
EMPTY = ('non-zero return code', 'MODULE FAILURE', 'One or more items failed', 'All items completed')


def bounded(text, limit):
    """The text as one that can be printed, its middle left out if it is too long."""
    text = ''.join(c if c.isprintable() or c in '\n\t' else '?' for c in text).strip()
    if len(text) <= limit:
        return text
    return text[:limit // 2] + ' [...] ' + text[-(limit // 2):]


def plain(value):
    """A message as text. What is not plain, as a vaulted value, is not told."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return '\n'.join(plain(v) for v in value if isinstance(v, str))
    if isinstance(value, (bool, int, float)):
        return str(value)
    return ''


def hidden(result):
    """Whether a result is one that nobody may see."""
    return bool(result.get('_ansible_no_log')) or 'censored' in result


def tail(text, lines=12):
    return '\n'.join(text.strip().splitlines()[-lines:])


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'pgbundle_events'
    CALLBACK_NEEDS_ENABLED = True
    CALLBACK_NEEDS_WHITELIST = True  # the word of ansible-core before 2.11

    def __init__(self):
        super(CallbackModule, self).__init__()
        self._lock = threading.Lock()
        self._stage = ''
        try:
            self._fd = int(os.environ[ENVIRONMENT])
            os.set_inheritable(self._fd, False)  # whatever Ansible starts must not keep it open
        except (KeyError, ValueError, OSError):
            self.disabled = True

    # --- writing ---

    def _write(self, event, **fields):
        line = json.dumps(dict(fields, event=event), default=lambda o: '<%s>' % type(o).__name__)
        data = line.encode('ascii') + b'\n'
        try:
            with self._lock:
                while data:
                    data = data[os.write(self._fd, data):]
        except OSError:
            self.disabled = True  # nobody reads any more

    def _host(self, result, status, msg=''):
        event = dict(host=bounded(result._host.get_name(), MAX_NAME), task=self._name(result._task), status=status)
        if msg:
            event['msg'] = bounded(msg, MAX_MESSAGE)
        self._write('host', **event)

    @staticmethod
    def _name(task):
        return bounded(task.get_name(), MAX_NAME)

    # --- messages ---

    def _message(self, result):
        """What went wrong, in the words of the module; empty where no_log says so."""
        r = result._result
        if result._task.no_log is True or hidden(r):
            return ''
        items = [i for i in r.get('results') or [] if isinstance(i, dict) and (i.get('failed') or i.get('unreachable'))]
        if any(hidden(i) for i in items):
            return ''
        if items:
            return '\n'.join(self._said(i) for i in items[:10])
        return self._said(r)

    @staticmethod
    def _said(r):
        msg = plain(r.get('msg', '')) or plain(r.get('reason', ''))
        if msg and not msg.startswith(EMPTY):
            return msg
        for key in ('stderr', 'module_stderr', 'stdout', 'module_stdout'):
            said = tail(plain(r.get(key, '')))
            if said:
                return '%s: %s' % (msg.split('\n')[0], said) if msg else said
        rc = r.get('rc')
        return '%s: exit status %d' % (msg, rc) if msg and isinstance(rc, int) else msg

    @staticmethod
    def _rescued(task):
        """Whether a failure of this task is caught by a block around it."""
        child, parent = task, task._parent
        while parent is not None:
            if isinstance(parent, Block) and parent.rescue and any(t._uuid == child._uuid for t in parent.block):
                return True
            child, parent = parent, parent._parent
        return False

    # --- the playbook ---

    def v2_playbook_on_start(self, playbook):
        self._write('start')

    def v2_playbook_on_play_start(self, play):
        name = play.get_name()
        self._stage = bounded(name.split(':')[0], MAX_NAME)
        try:
            hosts = len(play.get_variable_manager()._inventory.get_hosts(play.hosts))
        except Exception:  # a private name of Ansible's: better no number than no event
            hosts = 0
        self._write('play', stage=self._stage, name=bounded(name, MAX_NAME), hosts=hosts)

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._write('task', stage=self._stage, name=self._name(task))

    def v2_playbook_on_handler_task_start(self, task):
        self._write('task', stage=self._stage, name=self._name(task))

    def v2_playbook_on_cleanup_task_start(self, task):
        self._write('task', stage=self._stage, name=self._name(task))

    def v2_playbook_on_stats(self, stats):
        hosts = {}
        for host in sorted(stats.processed):
            s = stats.summarize(host)
            hosts[host] = dict(ok=s['ok'], changed=s['changed'], failed=s['failures'], unreachable=s['unreachable'],
                               skipped=s['skipped'], rescued=s['rescued'], ignored=s['ignored'])
        custom = stats.custom.get('_run', {})
        if len(json.dumps(custom, default=str)) > MAX_CUSTOM:
            custom = {}
        self._write('stats', hosts=hosts, custom=custom)

    # --- results ---

    def v2_runner_on_ok(self, result):
        if isinstance(result._task, TaskInclude):
            return
        self._host(result, 'changed' if result._result.get('changed') else 'ok')

    def v2_runner_on_skipped(self, result):
        self._host(result, 'skipped')

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if ignore_errors:
            status = 'ignored'
        elif self._rescued(result._task):
            status = 'rescued'
        else:
            status = 'failed'
        self._host(result, status, self._message(result))

    def v2_runner_on_unreachable(self, result):
        status = 'ignored' if result._task.ignore_unreachable else 'unreachable'
        self._host(result, status, self._message(result))

    def v2_runner_retry(self, result):
        left = result._result.get('retries', 0) - result._result.get('attempts', 0)
        self._host(result, 'retry', '%d tries left' % left)
