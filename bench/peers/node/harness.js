// SPDX-License-Identifier: MIT
// The same loop around every Node peer; PROTOCOL.md beside the peers says what goes over the pipes.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { createRequire } = require('node:module');

// Packages are installed in the build directory, not beside these files.
const peer = createRequire(path.join(process.env.PEER_MODULES, 'package.json'));

// Contexts built beforehand are few, so that they stay in the cache: in the peer's favour.
const PREPARED = 10000;

function round(users, offset, count, decide) {
  let hits = 0;
  let next = offset % users.length;
  const start = process.hrtime.bigint();
  while (count > 0) {
    const end = Math.min(users.length, next + count);
    for (let i = next; i < end; i++) if (decide(users[i])) hits++;
    count -= end - next;
    next = 0;
  }
  return `${process.hrtime.bigint() - start} ${hits}`;
}

async function roundOfPromises(users, offset, count, decide) {
  let hits = 0;
  let next = offset % users.length;
  const start = process.hrtime.bigint();
  while (count > 0) {
    const end = Math.min(users.length, next + count);
    for (let i = next; i < end; i++) if (await decide(users[i])) hits++;
    count -= end - next;
    next = 0;
  }
  return `${process.hrtime.bigint() - start} ${hits}`;
}

function flags(name) {
  return fs.readFileSync(path.join(process.env.PEER_FLAGS, name), 'utf8');
}

function version(name) {
  const file = path.join(process.env.PEER_MODULES, 'node_modules', name, 'package.json');
  return JSON.parse(fs.readFileSync(file)).version;
}

// `decide` is the whole question, from the id to the answer; `evaluate` answers from what `prepare`
// built. With `promises` both answer promises, which the loop awaits.
async function run(version, decide, prepare, evaluate, promises) {
  const measure = promises ? roundOfPromises : round;
  const ids = fs.readFileSync(process.argv[2], 'utf8').trimEnd().split('\n');
  const prepared = prepare ? ids.slice(0, PREPARED).map(prepare) : [];
  const modes = prepare ? ['call', 'ready'] : ['call'];
  process.stdout.write(JSON.stringify({ version, modes }) + '\n');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [mode, offset, count] = line.split(' ');
    const answer = mode === 'call' ? measure(ids, +offset, +count, decide)
      : measure(prepared, +offset, +count, evaluate);
    process.stdout.write((await answer) + '\n');
  }
  process.exit(0);
}

module.exports = { peer, flags, version, run };
