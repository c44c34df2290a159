//! Bytes by key for Croupier: a directory, S3, memory.
