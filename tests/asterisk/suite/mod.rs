//! The backend suite: stories that hold for every telephone system, told once for each.
//!
//! A story says what people do and what everybody then sees; it knows nothing of the telephone system but [`crate::office::Pbx`].

mod calls;
mod conferences;
mod ledger;

/// Makes of each story a test with the simulator and one with Asterisk.
macro_rules! stories {
    ($($module:ident: $($story:ident),+ $(,)?;)+) => {
        mod simulator {
            $($(#[test] fn $story() {
                crate::office::tell(super::$module::$story::<crate::simulated::Simulated>);
            })+)+
        }
        mod asterisk {
            $($(#[test] fn $story() {
                crate::office::tell(super::$module::$story::<crate::real::Real>);
            })+)+
        }
    };
}

stories! {
    calls:
        the_own_phone_first,
        the_other_first,
        dialling_is_stopped_before_the_other_answers,
        the_call_back_is_refused_when_the_other_has_answered,
        the_call_back_is_refused,
        the_call_is_stopped_while_the_other_rings,
        intercom,
        somebody_outside_is_called,
        a_call_from_outside,
        the_phone_is_answered_from_the_page,
        a_ring_is_declined_from_the_page,
        hold_and_take_back,
        a_held_party_leaves,
        a_second_call_toggles_and_returns,
        a_consulted_person_refuses,
        a_consulted_person_leaves,
        the_held_party_is_dropped,
        to_hang_up_with_somebody_on_hold_joins,
        a_transfer_to_the_held_party_joins,
        a_blind_transfer,
        a_blind_transfer_outside,
        a_transfer_with_somebody_on_hold,
        a_call_to_a_busy_phone,
        a_call_to_nobody,
        a_phone_is_away,
        a_queue_rings_its_people,
        a_group_rings,
        a_caller_leaves_a_queue,
        who_has_a_break_is_not_rung,
        a_redirection_redirects,
        two_tabs_act_at_once;
    conferences:
        a_talk_becomes_a_conference_of_three,
        a_conference_has_the_id_that_the_client_chose,
        the_held_party_comes_into_the_conference,
        a_supervisor_listens_in_helps_and_joins;
    ledger:
        answered,
        answered_outside,
        answered_in_a_queue,
        hold_makes_another_talk,
        joined_after_a_consultation,
        transferred,
        transferred_and_not_answered,
        transferred_into_a_queue,
        abandoned,
        cancelled_by_the_caller,
        cancelled_by_the_user,
        cancelled_at_the_call_back,
        not_answered,
        not_answered_in_a_queue,
        busy,
        refused,
        unreachable,
        a_menu;
}
