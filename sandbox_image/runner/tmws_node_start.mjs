// Runs before a test file: makes Node's runner ours before it can be anybody else's.
//
// A test that must fail goes first, marked `todo` so that the exit status stays that of
// the project's tests. Until its runner has begun to report, no code of the workspace is
// loaded; then what decides outcomes is frozen.

import assert from 'node:assert';
import { EventEmitter } from 'node:events';
import * as runner from 'node:test';

import { state, take } from './tmws_node_channel.mjs';

const send = take();
const { emit } = EventEmitter.prototype;
const { getPrototypeOf, getOwnPropertyNames, defineProperty, freeze } = Object;

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

// The stream of results shows itself when it first tells of a test.
EventEmitter.prototype.emit = function watched(type, ...rest) {
  if (typeof type === 'string' && type.startsWith('test:')) state.stream = this;
  return emit.call(this, type, ...rest);
};

const canary = runner.test(`canary ${process.pid}`, { todo: true }, (t) => {
  freeze(getPrototypeOf(t));
  assert.strictEqual(process.pid, 0);
});
await state.reporting;
await canary;
EventEmitter.prototype.emit = emit;
if (state.stream === undefined) throw new Error('the stream of results was not found');
pin(state.stream);

for (const object of [assert, assert.strict, assert.AssertionError, assert.AssertionError.prototype,
  runner.default, runner.describe, runner.it, runner.mock && getPrototypeOf(runner.mock)]) {
  if (object) freeze(object);
}

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
