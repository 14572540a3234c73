// What Node's runner says of a test, read so that nothing of the workspace is asked.

const { hasOwn } = Object;

// Reads a property that the runner set itself, never one that somebody put on a prototype.
export function own(object, name) {
  return object !== null && typeof object === 'object' && hasOwn(object, name)
    ? object[name] : undefined;
}

export function outcome(type, data) {
  const todo = own(data, 'todo');
  const skip = own(data, 'skip');
  if (skip !== undefined && skip !== false) return 'skipped';
  if (todo !== undefined && todo !== false) return 'xfailed';
  if (type === 'test:fail') return 'failed';
  const expected = own(data, 'expectFailure');
  return expected !== undefined && expected !== false ? 'xfailed' : 'passed';
}

export function told(error) {
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
