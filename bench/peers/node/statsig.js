// SPDX-License-Identifier: MIT
// Statsig's server core behind its Node package: the gate from memory, no network, no logging, no
// exposures.
'use strict';
const { peer, flags, version, run } = require('./harness.js');
const { Statsig, StatsigUser } = peer('@statsig/statsig-node-core');

const text = flags('flags-statsig.json');
const statsig = new Statsig('secret-bench', {
  disableNetwork: true, disableAllLogging: true, disableCountryLookup: true,
  dataStore: {
    initialize: async () => {}, shutdown: async () => {}, set: async () => {},
    get: async () => ({ result: text, time: 1767225600000 }),
    supportPollingUpdatesFor: async () => false,
  },
});
const silent = { disableExposureLogging: true };
const prepare = (id) => StatsigUser.withUserID(id);
const evaluate = (user) => statsig.checkGate(user, 'checkout', silent);

statsig.initialize().then(() =>
  run(version('@statsig/statsig-node-core'), (id) => evaluate(prepare(id)), prepare, evaluate));
