//! The RFC 6455 machine, through its public interface: no socket, no thread, no clock.

mod closing;
mod differential;
mod fixtures;
mod limits;
mod liveness;
mod machine;
mod pair;
