//! Stories that need the real thing: what people do at their telephones, what the dialplan asks, what breaks.

mod breaks;
mod examined;
mod hands;
mod load;
mod recorded;
mod routing;
