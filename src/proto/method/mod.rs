//! The catalogue: every message of the protocol.
