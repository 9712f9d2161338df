mod captures;
mod faults;
mod random;
mod recovery;
