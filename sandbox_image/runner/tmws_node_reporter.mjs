// Shows how each test of one file ended, and tells when Node's own runner is done.

import { state, take } from './tmws_node_channel.mjs';
import { outcome, own } from './tmws_node_outcomes.mjs';

const send = take();

let taken = false;

export default async function* reporter(source) {
  if (taken) {
    send('patched', 'the reporter of the run');
    return;
  }
  taken = true;
  state.begin();
  for await (const event of source) {
    const { type, data } = event;
    if (type === 'test:pass' || type === 'test:fail') {
      yield `${outcome(type, data)} ${own(data, 'name')}\n`;
    }
  }
  send('end');
}
