// SPDX-License-Identifier: MIT
//! GrowthBook's SDK for Rust, offline; no callbacks.
use growthbook_rust::client::{GrowthBookClientBuilder, GrowthBookClientTrait};
use growthbook_rust::model_public::{GrowthBookAttribute, GrowthBookAttributeValue};

fn main() {
    let features = serde_json::json!({"checkout": {"defaultValue": false, "rules": [
        {"force": true, "coverage": 0.25, "hashAttribute": "id"}]}});
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let client = runtime
        .block_on(
            GrowthBookClientBuilder::new()
                .auto_refresh(false)
                .features_json(features)
                .unwrap()
                .build(),
        )
        .unwrap();
    let attributes = |id: &str| {
        vec![GrowthBookAttribute::new(
            "id".to_owned(),
            GrowthBookAttributeValue::String(id.to_owned()),
        )]
    };

    // The call takes the attributes for good, so a prepared user has to be copied for it.
    harness::run(
        "0.4.0",
        |id| client.is_on("checkout", Some(attributes(id))),
        attributes,
        |user| client.is_on("checkout", Some(user.clone())),
    );
}
