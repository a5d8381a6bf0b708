//! Who may do what, as one page: made of the same tables that the checks read. `docs/rights.md` holds it, and a test holds that.

use ctigate_proto::method::{Class, Flow, MESSAGES, Message, Right};

use crate::config::Role;

/// The calls that people may make, by name: of every message a tab may send that is answered.
pub fn calls() -> impl Iterator<Item = &'static Message> {
    MESSAGES.iter().filter(|message| {
        message.flows(Flow::TabToGateway)
            && message.reply.is_some()
            && matches!(message.class, Class::Call | Class::Reply)
    })
}

/// Whether a role may call a message.
pub fn may(role: Role, message: &Message) -> bool {
    message.right.is_none_or(|right| role.rights().has(right))
}

/// The tables of roles: rights, and methods of the protocol.
pub fn page() -> String {
    let mut page = String::new();
    let mut line = |text: &str| {
        page.push_str(text);
        page.push('\n');
    };
    let heads: Vec<String> = Role::ALL.iter().map(|role| format!("`{role}`")).collect();
    let rule = "---|".repeat(Role::ALL.len() + 1);
    let cells = |has: &dyn Fn(Role) -> bool| {
        let cell = |role: &Role| if has(*role) { "yes" } else { "" };
        Role::ALL.iter().map(cell).collect::<Vec<_>>().join(" | ")
    };
    line("## Roles and rights\n");
    line(&format!("| right | {} |", heads.join(" | ")));
    line(&format!("|{rule}"));
    for right in Right::ALL {
        line(&format!("| `{}` | {} |", right.word(), cells(&|role| role.rights().has(right))));
    }
    line("\n## Roles and methods\n");
    line(
        "What may not be called fails with 59004. Without a right in the second column everybody who is logged in may call it.\n",
    );
    line(&format!("| method | right | {} |", heads.join(" | ")));
    line(&format!("|---|{rule}"));
    for message in calls() {
        let right = message.right.map_or(String::new(), |right| format!("`{}`", right.word()));
        line(&format!("| `{}` | {right} | {} |", message.name, cells(&|role| may(role, message))));
    }
    let before = MESSAGES.iter().filter(|m| ctigate_proto::hub::BEFORE_CHANGE.contains(&m.name) && m.name != "error");
    let before: Vec<String> = before.map(|message| format!("`{}`", message.name)).collect();
    line(&format!("\nWhoever must change the password first may call {} and nothing else.", before.join(", ")));
    page
}
