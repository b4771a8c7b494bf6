// SPDX-License-Identifier: MIT
// GrowthBook's client for servers: features from memory, no callback; the synchronous call.
'use strict';
const { peer, version, run } = require('./harness.js');
const { GrowthBookClient } = peer('@growthbook/growthbook');

const client = new GrowthBookClient().initSync({ payload: { features: { checkout: {
  defaultValue: false,
  rules: [{ force: true, coverage: 0.25, hashAttribute: 'id' }],
} } } });
const prepare = (id) => ({ attributes: { id } });
const evaluate = (user) => client.isOn('checkout', user);

run(version('@growthbook/growthbook'), (id) => evaluate(prepare(id)), prepare, evaluate);
