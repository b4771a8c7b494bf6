// SPDX-License-Identifier: MIT
// flagd's evaluator, which its in-process provider wraps; nothing logged.
'use strict';
const { peer, flags, version, run } = require('./harness.js');
const { FlagdCore } = peer('@openfeature/flagd-core');

const quiet = { error() {}, warn() {}, info() {}, debug() {} };
const core = new FlagdCore(undefined, quiet);
core.setConfigurations(flags('flags-flagd.json'));
const prepare = (id) => ({ targetingKey: id });
const evaluate = (user) => core.resolveBooleanEvaluation('checkout', false, user, quiet).value;

run(version('@openfeature/flagd-core'), (id) => evaluate(prepare(id)), prepare, evaluate);
