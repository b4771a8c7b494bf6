// SPDX-License-Identifier: MIT
//! flagd's engine for Rust, below its provider and without its cache. It compiles the rule on each
//! call; that is its interface.
use flagd_evaluation_engine::Operator;
use open_feature::EvaluationContext;

const RULE: &str = r#"{"fractional": [["on", 25], ["off", 75]]}"#;

fn main() {
    let operator = Operator::new();
    let context = |id: &str| EvaluationContext::default().with_targeting_key(id);
    let evaluate = |context: &EvaluationContext| {
        operator.apply("checkout", RULE, context).unwrap().as_deref() == Some("on")
    };

    harness::run("0.1.0", |id| evaluate(&context(id)), context, evaluate);
}
