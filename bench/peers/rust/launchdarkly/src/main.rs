// SPDX-License-Identifier: MIT
//! LaunchDarkly's SDK for Rust: the flag from its test data source, events discarded.
use std::time::Duration;

use launchdarkly_server_sdk::{
    Client, ConfigBuilder, Context, ContextBuilder, Flag, NullEventProcessorBuilder, TestData,
};

const FLAGS: &str = include_str!("../../../flags-launchdarkly.json");

fn main() {
    let mut document: serde_json::Value = serde_json::from_str(FLAGS).unwrap();
    let flag: Flag = serde_json::from_value(document["flags"]["checkout"].take()).unwrap();
    let data = TestData::new();
    data.use_preconfigured_flag(flag);
    let config = ConfigBuilder::new("bench")
        .data_source(&data)
        .event_processor(&NullEventProcessorBuilder::new())
        .build()
        .unwrap();
    let client = Client::build(config).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let started = runtime.block_on(async {
        client.start_with_default_executor();
        client.wait_for_initialization(Duration::from_secs(5)).await
    });
    assert_eq!(started, Some(true));

    let context = |id: &str| -> Context { ContextBuilder::new(id).build().unwrap() };
    let evaluate = |context: &Context| client.bool_variation(context, "checkout", false);
    harness::run("3.2.0", |id| evaluate(&context(id)), context, evaluate);
}
