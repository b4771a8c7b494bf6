// SPDX-License-Identifier: MIT
//! Statsig's server core, which its SDKs of other languages wrap; no network, no logging of any
//! kind, no exposures.
use std::sync::Arc;

use statsig_rust::hashing::djb2;
use statsig_rust::{
    FeatureGateEvaluationOptions, Statsig, StatsigLocalFileSpecsAdapter, StatsigOptions,
    StatsigUser,
};

const KEY: &str = "secret-bench";
const FLAGS: &str = include_str!("../../../flags-statsig.json");

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let dir = std::env::temp_dir().join(format!("peer-statsig-{}", std::process::id()));

    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join(format!("{}_specs.json", djb2(KEY))), FLAGS).unwrap();
    let adapter = Arc::new(StatsigLocalFileSpecsAdapter::new(
        KEY,
        dir.to_str().unwrap(),
        None,
        false,
        true,
    ));
    let options = StatsigOptions {
        specs_adapter: Some(adapter.clone()),
        disable_network: Some(true),
        disable_all_logging: Some(true),
        disable_country_lookup: Some(true),
        ..Default::default()
    };
    let statsig = runtime.block_on(async {
        let statsig = Statsig::new(KEY, Some(Arc::new(options)));
        statsig.initialize().await.unwrap();
        adapter.resync_from_file().unwrap();
        statsig
    });
    std::fs::remove_dir_all(&dir).unwrap();

    let evaluate = |user: &StatsigUser| {
        let options = FeatureGateEvaluationOptions { disable_exposure_logging: true };
        statsig.check_gate_with_options(user, "checkout", options)
    };
    harness::run(
        "0.24.0",
        |id| evaluate(&StatsigUser::with_user_id(id)),
        |id| StatsigUser::with_user_id(id),
        evaluate,
    );
}
