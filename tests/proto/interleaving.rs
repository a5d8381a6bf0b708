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
