use proptest::prelude::*;

use crate::world::story::{STEP, Story};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// One reply to every call, one outcome of every execution, one end of every form, and nothing left behind.
    #[test]
    fn whatever_happens_in_whatever_order(steps in prop::collection::vec(any::<[u8; STEP]>(), 0..120)) {
        Story::run(steps.as_flattened());
    }
}

/// What the fuzz target `hub` has found.
#[test]
fn stories_that_once_failed_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/findings/hub");
    let mut told = 0;
    for file in std::fs::read_dir(folder).expect("the findings") {
        Story::run(&std::fs::read(file.expect("a finding").path()).expect("its bytes"));
        told += 1;
    }
    assert!(told > 0, "no finding in {folder}");
}
