//! Machine two: the state of a node.

pub mod input;
pub mod output;
pub mod snapshot;

pub use input::Input;
pub use output::Output;
pub use snapshot::Snapshot;
