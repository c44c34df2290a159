//! One Croupier run in a store.
