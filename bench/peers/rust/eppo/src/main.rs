// SPDX-License-Identifier: MIT
//! Eppo's core, which its SDKs of other languages wrap; the flag logs no assignment.
use std::sync::Arc;

use chrono::Utc;
use eppo_core::eval::get_assignment;
use eppo_core::ufc::{AssignmentValue, UniversalFlagConfig, VariationType};
use eppo_core::{Attributes, Configuration, SdkMetadata, Str};

const FLAGS: &str = include_str!("../../../flags-ufc.json");

fn main() {
    let flags = UniversalFlagConfig::from_json(
        SdkMetadata { name: "bench", version: "0" },
        FLAGS.as_bytes().to_vec(),
    )
    .unwrap();
    let configuration = Configuration::from_server_response(flags, None);
    // Shared by all users: the flag asks for no attribute.
    let attributes: Arc<Attributes> = Arc::new(Attributes::default());
    let evaluate = |key: &Str| {
        let assignment = get_assignment(
            Some(&configuration),
            "checkout",
            key,
            &attributes,
            Some(VariationType::Boolean),
            Utc::now(),
        );
        matches!(assignment.unwrap().unwrap().value, AssignmentValue::Boolean(true))
    };

    harness::run("10.0.0", |id| evaluate(&Str::from(id)), |id| Str::from(id), evaluate);
}
