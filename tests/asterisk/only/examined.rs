//! The doctor, with an Asterisk that has what the printed fragments give it.

use ctigate::app::examine;
use ctigate::pbx::Verdict;

use crate::office::{Story, tell};
use crate::real::Real;

#[test]
fn an_asterisk_set_up_by_the_printed_fragments_is_well() {
    tell(async |s: Story<Real>| {
        let checks = examine(&s.office.config).await;
        let named = |what: &str| checks.iter().find(|check| check.what == what).map(|check| check.verdict);
        for what in [
            "asterisk",
            "write=call",
            "write=originate",
            "read=call",
            "read=agent",
            "modules",
            "context",
            "dialplan",
            "agi",
        ] {
            assert_eq!(named(what), Some(Verdict::Good), "{what}: {checks:#?}");
        }
        // Most teams have not come to work yet: their phones are away, nothing else is amiss.
        let amiss: Vec<_> = checks.iter().filter(|check| check.verdict != Verdict::Good).collect();
        assert!(amiss.iter().all(|check| check.what == "phones" && check.verdict == Verdict::Fair), "{amiss:#?}");

        let mut wrong = s.office.config.clone();
        wrong.pbx.asterisk.secret = Some(ctigate::config::Secret::new("guessed"));
        let refused = examine(&wrong).await;
        assert!(refused.iter().any(|c| c.verdict == Verdict::Bad && c.found.contains("refuses")), "{refused:#?}");
        s.closes(&[]).await;
    });
}
