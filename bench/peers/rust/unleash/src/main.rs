// SPDX-License-Identifier: MIT
//! Unleash's engine, which its SDKs of other languages wrap. `check_enabled` borrows the context
//! and counts nothing, unlike what the SDKs do around it.
use unleash_types::client_features::ClientFeatures;
use unleash_yggdrasil::state::EnrichedContext;
use unleash_yggdrasil::{Context, EngineState};

const FLAGS: &str = r#"{"version": 2, "features": [{"name": "checkout", "enabled": true,
    "strategies": [{"name": "flexibleRollout", "parameters":
        {"groupId": "checkout", "rollout": "25", "stickiness": "userId"}}]}]}"#;

fn main() {
    let engine = EngineState::default();
    let features: ClientFeatures = serde_json::from_str(FLAGS).unwrap();

    assert!(engine.apply_client_features(features).is_none());
    harness::run(
        "0.21.7",
        |id| {
            let context = EnrichedContext {
                user_id: Some(id),
                session_id: None,
                environment: None,
                app_name: None,
                current_time: None,
                remote_address: None,
                properties: None,
                external_results: None,
                toggle_name: "checkout",
                runtime_hostname: None,
            };
            engine.check_enabled(&context).unwrap()
        },
        |id| Context { user_id: Some(id.to_owned()), ..Context::default() },
        |context| engine.is_enabled("checkout", context, &None),
    );
}
