// SPDX-License-Identifier: MIT
//! Datadog's feature flag core, without exposures and metrics.
use std::collections::HashMap;
use std::sync::Arc;

use libdd_ffe::rules_based::{
    get_assignment, now, AssignmentValue, Attribute, Configuration, EvaluationContext, Str,
    UniversalFlagConfig,
};
use libdd_ffe::ExpectedFlagType;

const FLAGS: &str = include_str!("../../../flags-ufc.json");

fn main() {
    let flags = UniversalFlagConfig::from_json(FLAGS.as_bytes().to_vec()).unwrap();
    let configuration = Configuration::from_server_response(flags);
    // Shared by all users: the flag asks for no attribute.
    let attributes: Arc<HashMap<Str, Attribute>> = Arc::new(HashMap::new());
    let context = |id: &str| EvaluationContext::new(Some(Str::from(id)), attributes.clone());
    let evaluate = |context: &EvaluationContext| {
        let assignment = get_assignment(
            Some(&configuration),
            "checkout",
            context,
            ExpectedFlagType::Boolean,
            now(),
        );
        matches!(assignment.unwrap().value, AssignmentValue::Boolean(true))
    };

    harness::run("2.0.0", |id| evaluate(&context(id)), context, evaluate);
}
