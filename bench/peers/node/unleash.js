// SPDX-License-Identifier: MIT
// Unleash's SDK: the toggle bootstrapped from memory, no metrics, and a closed port of this machine
// for the server it insists on.
'use strict';
const { peer, flags, version, run } = require('./harness.js');
const { Unleash, InMemStorageProvider } = peer('unleash-client');

const client = new Unleash({
  appName: 'bench', url: 'http://127.0.0.1:9/', disableMetrics: true, disableAutoStart: true,
  refreshInterval: 0, storageProvider: new InMemStorageProvider(),
  bootstrap: { data: JSON.parse(flags('flags-unleash.json')).features },
});
client.on('error', () => {});
client.on('warn', () => {});
const prepare = (id) => ({ userId: id });
const evaluate = (user) => client.isEnabled('checkout', user);

client.start().catch(() => {}).then(() =>
  run(version('unleash-client'), (id) => evaluate(prepare(id)), prepare, evaluate));
