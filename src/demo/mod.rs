//! The demonstration's CRM: a process of its own that connects over WSS with Digest and knows nothing but the public protocol.
//! What it offers and whom it knows are the files of `examples/`.

mod crm;

pub use crm::run;
