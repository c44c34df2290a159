//! Grid, streams, tree and tallies of Croupier.
