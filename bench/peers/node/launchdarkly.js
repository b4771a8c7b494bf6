// SPDX-License-Identifier: MIT
// LaunchDarkly's server SDK: the flag from its test data source, no events. Its answers are
// promises, and there is no other way to ask.
'use strict';
const { peer, flags, version, run } = require('./harness.js');
const { init, integrations } = peer('@launchdarkly/node-server-sdk');

const data = new integrations.TestData();
data.usePreconfiguredFlag(JSON.parse(flags('flags-launchdarkly.json')).flags.checkout);
const client = init('bench', {
  updateProcessor: data.getFactory(), sendEvents: false, diagnosticOptOut: true,
  logger: { error() {}, warn() {}, info() {}, debug() {} },
});
const prepare = (id) => ({ kind: 'user', key: id });
const evaluate = (user) => client.variation('checkout', user, false);

client.waitForInitialization({ timeout: 5 }).then(() =>
  run(version('@launchdarkly/node-server-sdk'), (id) => evaluate(prepare(id)), prepare, evaluate,
    true));
