mod captures;
mod faults;
mod live;
mod random;
mod recovery;
