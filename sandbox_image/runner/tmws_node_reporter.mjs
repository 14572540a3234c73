// Tells how each test of one file ended, as Node's own runner says it.

import { state, take } from './tmws_node_channel.mjs';

const send = take();

const { hasOwn } = Object;
let taken = false;

// Reads a property that the runner set itself, never one that somebody put on a prototype.
function own(object, name) {
  return object !== null && typeof object === 'object' && hasOwn(object, name)
    ? object[name] : undefined;
}

function outcome(type, data) {
  const todo = own(data, 'todo');
  const skip = own(data, 'skip');
  if (skip !== undefined && skip !== false) return 'skipped';
  if (todo !== undefined && todo !== false) return 'xfailed';
  if (type === 'test:fail') return 'failed';
  const expected = own(data, 'expectFailure');
  return expected !== undefined && expected !== false ? 'xfailed' : 'passed';
}

function told(error) {
  try {
    const cause = own(error, 'cause');
    const shown = cause !== null && typeof cause === 'object' ? cause : error;
    const code = shown.code;
    return {
      __proto__: null,
      message: typeof shown.message === 'string' ? shown.message : 'no message',
      code: typeof code === 'string' ? code : '',
    };
  } catch {
    return { __proto__: null, message: 'no message', code: '' };
  }
}

export default async function* reporter(source) {
  if (taken) {
    send('patched', 'the reporter of the run');
    return;
  }
  taken = true;
  state.begin();
  for await (const event of source) {
    const { type, data } = event;
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
      yield `${outcome(type, data)} ${own(data, 'name')}\n`;
    }
  }
  send('end');
}
