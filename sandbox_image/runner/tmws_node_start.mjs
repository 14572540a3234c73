// Runs before a test file: makes Node's runner ours before it can be anybody else's.
//
// A test that must fail goes first, marked `todo` so that the exit status stays that of
// the project's tests. Until its runner has begun to report, no code of the workspace is
// loaded; then what decides outcomes is frozen. How a test ended is told in the moment in
// which the runner says so: whoever gets hold of the stream of results can add to it, and
// end it, but not keep the runner from telling of a failure. Only the end of the process
// can, and leaving it is told, too.

import assert from 'node:assert';
import { EventEmitter } from 'node:events';
import inspector from 'node:inspector';
import { syncBuiltinESMExports } from 'node:module';
import * as runner from 'node:test';
import v8 from 'node:v8';

import { state, take } from './tmws_node_channel.mjs';
import { outcome, own, told } from './tmws_node_outcomes.mjs';

const send = take();
const { emit } = EventEmitter.prototype;
const { getPrototypeOf, getOwnPropertyNames, defineProperty, freeze } = Object;
const startsWith = Function.prototype.call.bind(String.prototype.startsWith);
const call = Function.prototype.call.bind(Function.prototype.call);
const { reallyExit } = process;
let stream;

function tell(type, data) {
  if (type === 'test:enqueue') {
    send('enqueued');
  } else if (type === 'test:pass' || type === 'test:fail') {
    const details = own(data, 'details');
    const error = own(details, 'error');
    const failure = told(error);
    // A suite fails with its tests, which are told themselves.
    const echo = own(details, 'type') === 'suite'
      && (type === 'test:pass' ? outcome(type, data) === 'passed'
        : own(error, 'failureType') === 'subtestsFailed');
    send(echo ? 'suite' : 'test', own(data, 'name'), outcome(type, data), failure.message, failure.code);
  }
}

// The stream of results shows itself when it first tells of a test.
function watched(type, data, ...rest) {
  if (typeof type === 'string' && startsWith(type, 'test:')) {
    stream ??= this;
    if (this === stream) tell(type, data);
  }
  return call(emit, this, type, data, ...rest);
}

// Fixes the methods of one object, whatever becomes of the prototypes that it has them from.
function pin(object) {
  for (let from = getPrototypeOf(object); from !== Object.prototype; from = getPrototypeOf(from)) {
    for (const name of getOwnPropertyNames(from)) {
      const value = Object.getOwnPropertyDescriptor(from, name).value;
      if (typeof value === 'function' && name !== 'constructor' && !Object.hasOwn(object, name)) {
        defineProperty(object, name, { value, writable: false, configurable: false });
      }
    }
  }
}

// What shows a process its own memory, our sender in it, or ends it unheard.
function closed() {
  throw new Error('What looks into the process itself, or replaces it, is closed in a check.');
}

function close(object, ...names) {
  for (const name of names) {
    if (name in object) {
      defineProperty(object, name, { value: closed, writable: false, configurable: false });
    }
  }
}

EventEmitter.prototype.emit = watched;
const canary = runner.test(`canary ${process.pid}`, { todo: true }, (t) => {
  freeze(getPrototypeOf(t));
  assert.strictEqual(process.pid, 0);
});
await state.reporting;
await canary;
EventEmitter.prototype.emit = emit;
if (stream === undefined) throw new Error('the stream of results was not found');
defineProperty(stream, 'emit', { value: watched, writable: false, configurable: false });
pin(stream);

for (const object of [assert, assert.strict, assert.AssertionError, assert.AssertionError.prototype,
  runner.default, runner.describe, runner.it, runner.mock && getPrototypeOf(runner.mock)]) {
  if (object) freeze(object);
}

close(inspector, 'open');
close(inspector.Session.prototype, 'connect', 'connectToMainThread');
close(process, '_debugProcess', 'execve');
close(v8, 'getHeapSnapshot', 'queryObjects', 'setHeapSnapshotNearHeapLimit', 'writeHeapSnapshot');
syncBuiltinESMExports();
process.reallyExit = function left(code) {
  send('left');
  call(reallyExit, process, code);
};

process.on('uncaughtExceptionMonitor', (error) => {
  let message = 'no message';
  let code = '';
  try {
    message = `${error?.message ?? error}`;
    code = `${error?.code ?? ''}`;
  } catch {
    // Its own text is code of the workspace.
  }
  send('crashed', message, code);
});
