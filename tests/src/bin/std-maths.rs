//! A digest of what `std` makes of logarithms and exponentials here, to show that pinned functions are needed.

use std::hash::{DefaultHasher, Hash, Hasher};

fn main() {
    let mut digest = DefaultHasher::new();
    for i in 1..200_000_u32 {
        let x = f64::from(i) / 20_000.0;
        (x.ln().to_bits(), x.exp().to_bits(), x.sin().to_bits()).hash(&mut digest);
    }
    println!("{:016x}", digest.finish());
}
