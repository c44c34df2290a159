//! Where Croupier's shards run.
