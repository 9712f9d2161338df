//! The RFC 6455 and RFC 7692 machine, through its public interface: no socket, no thread, no clock.

mod closing;
mod contexts;
mod deflate;
mod differential;
mod fixtures;
mod limits;
mod liveness;
mod machine;
mod pair;
mod parts;
