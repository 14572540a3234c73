// The way out of a Node process: lines that only we can number.
//
// Imported before any code of the workspace. What is needed is taken hold of here, so
// that nothing replaced later is called: values stay primitive, no prototype is asked.
// The parent hands over a secret on descriptor 4; each line begins with its next part.

import fs from 'node:fs';

const REPORT = 3;
const SECRET = 4;
const TOKEN = 16;
const LONGEST = 300;

const { writeSync } = fs;
const quote = JSON.stringify;
const slice = Function.prototype.call.bind(String.prototype.slice);
const secret = fs.readFileSync(SECRET, 'latin1');
fs.closeSync(SECRET);
let at = 0;

// Texts of the workspace, cut to what a report may hold.
function text(value, longest = LONGEST) {
  return typeof value === 'string' ? slice(value, 0, longest) : '';
}

// Writes one line; every field must be a string.
function send(kind, first = '', second = '', third = '', fourth = '') {
  const token = slice(secret, at, at + TOKEN);
  if (token.length !== TOKEN) return;
  at += TOKEN;
  const line = quote(kind) + ',' + quote(text(first, 1000)) + ',' + quote(text(second))
    + ',' + quote(text(third)) + ',' + quote(text(fourth));
  writeSync(REPORT, token + ' [' + line + ']\n');
}

// The two modules of ours take it before any test file is loaded; then it is gone.
let takers = 2;
export function take() {
  takers -= 1;
  return takers >= 0 ? send : undefined;
}

export const state = { __proto__: null };
state.reporting = new Promise((resolve) => { state.begin = resolve; });
