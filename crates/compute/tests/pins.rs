//! Values that must never change: whoever changes one changes the results of every run.
//!
//! The vectors of the streams are those of `docs/STREAMS.md`, which come from a program in another
//! language. None of this may depend on the CPU, so it is also run with the C library's paths for
//! fused multiply-add switched off, and built for the CPU at hand.

use croupier_compute::engine::{self, Control, Ended, Pool, Work};
use croupier_compute::pinned::{exponential, ln, normal, uniform, uniform_positive};
use croupier_compute::{
    BlockLength, Domain, Frontier, Generator, Grid, Kernel, Mean, Node, RECIPE, Seeded, Stream,
    StreamNumber, StreamPer, Trunk,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::{ChaCha8Rng, ChaCha12Rng, ChaCha20Rng};
use rand_xoshiro::{Xoshiro256PlusPlus, Xoshiro512StarStar};

fn at<R: Generator>(seed: u64, domain: Domain, index: u64) -> Stream<R> {
    let mut stream = Stream::<R>::new(seed);
    stream.start(StreamNumber::new(domain, index));
    stream
}

/// The first, the second and the thousandth u64.
fn words<R: Generator>(seed: u64, domain: Domain, index: u64) -> [u64; 3] {
    let mut stream = at::<R>(seed, domain, index);
    let words: Vec<u64> = (0..1000).map(|_| stream.next_u64()).collect();
    [words[0], words[1], words[999]]
}

#[test]
fn streams() {
    assert_eq!(RECIPE, 1);
    let found = [
        words::<ChaCha8Rng>(0, Domain::Block, 0),
        words::<ChaCha8Rng>(7, Domain::Block, 0),
        words::<ChaCha8Rng>(7, Domain::Block, 15_258),
        words::<ChaCha8Rng>(7, Domain::Sample, 0),
        words::<ChaCha8Rng>(7, Domain::Author, (1 << 56) - 1),
        words::<ChaCha8Rng>(u64::MAX, Domain::Resampling, 1),
        words::<ChaCha12Rng>(7, Domain::Block, 3),
        words::<ChaCha20Rng>(7, Domain::Block, 3),
    ];
    let expected = [
        [
            0x70f5_2abb_2ad2_07ea,
            0xdc86_3887_ffbf_740c,
            0x48fb_5f4c_bb6d_d57a,
        ],
        [
            0xd801_cf6e_68af_c2e3,
            0x6ae8_20a9_82a1_8d9e,
            0x5101_a7f7_da5d_23db,
        ],
        [
            0xeefc_bcef_7094_9050,
            0x32ae_4132_03f1_7bd2,
            0xf136_00d4_7167_c0e3,
        ],
        [
            0xe3c4_58d1_4d66_9920,
            0x05ec_0692_0b15_936a,
            0x7ac4_eec9_0cf3_6351,
        ],
        [
            0xcab8_3e37_a8d3_689a,
            0x1876_3d00_f47c_ab9d,
            0x51bc_d3c2_281e_58a3,
        ],
        [
            0x243f_1451_8301_63e9,
            0xe47b_9692_da1b_0a91,
            0xeefd_1748_266e_fa63,
        ],
        [
            0xa70a_3720_4f21_426a,
            0xfeba_5703_8f78_be9e,
            0xb448_ce59_0717_0ea7,
        ],
        [
            0x513b_c762_dc74_33f9,
            0x2275_2abd_210e_a141,
            0xc592_82a4_31fb_a46b,
        ],
    ];
    assert_eq!(found, expected, "{found:#018x?}");
    let first: f64 = at::<ChaCha8Rng>(7, Domain::Block, 0).random();
    assert_eq!(first, 0.8437776226571136);
    let domains = [
        Domain::Block,
        Domain::Sample,
        Domain::Shard,
        Domain::Resampling,
        Domain::Author,
    ];
    for (upper, domain) in (0..).zip(domains) {
        assert_eq!(StreamNumber::new(domain, 5).get(), upper << 56 | 5);
    }
}

#[test]
fn seeded_streams() {
    // SHA-256 as in the document, then the generator's own seeding.
    let mut by_hand = Xoshiro256PlusPlus::from_seed(SEEDED[..32].try_into().unwrap());
    let mut stream = at::<Seeded<Xoshiro256PlusPlus>>(7, Domain::Block, 3);
    let mut long = Xoshiro512StarStar::from_seed(rand_xoshiro::Seed512(SEEDED));
    let mut long_stream = at::<Seeded<Xoshiro512StarStar>>(7, Domain::Block, 3);
    for _ in 0..100 {
        assert_eq!(stream.next_u64(), by_hand.next_u64());
        assert_eq!(long_stream.next_u64(), long.next_u64());
    }
    let found = words::<Seeded<Xoshiro256PlusPlus>>(7, Domain::Block, 3);
    assert_eq!(
        found,
        [
            0xf4d0_f0a5_41a9_2286,
            0xba63_2b56_17a7_a061,
            0x58cc_3267_c875_41b5
        ],
        "{found:#018x?}"
    );
    assert_eq!(
        Seeded::<Xoshiro256PlusPlus>::name(),
        "seeded Xoshiro256PlusPlus"
    );
    assert_eq!(ChaCha8Rng::name(), "chacha8");
    assert_eq!(ChaCha12Rng::name(), "chacha12");
    assert_eq!(ChaCha20Rng::name(), "chacha20");
}

const SEEDED: [u8; 64] = [
    0xd4, 0xc4, 0x57, 0x45, 0x4e, 0xe5, 0xca, 0x7b, 0x9b, 0x6d, 0x3c, 0x9a, 0x3d, 0x9c, 0x12, 0x09,
    0xaa, 0x5a, 0xa7, 0x7f, 0xf3, 0x4a, 0xe4, 0x4a, 0x24, 0xe9, 0xbe, 0xc6, 0xa3, 0x7f, 0xf0, 0x26,
    0xa9, 0x4b, 0x20, 0xdb, 0xfb, 0x82, 0x4b, 0xd1, 0x7b, 0xf8, 0x23, 0x93, 0xed, 0x78, 0x01, 0x29,
    0x9e, 0x51, 0x90, 0x98, 0x00, 0xe8, 0x75, 0x59, 0x4d, 0x8e, 0x16, 0x3e, 0x0c, 0x8f, 0x4c, 0x38,
];

/// The first three variates, and all bits of the next ten thousand mixed into one number.
fn variates(sampler: fn(&mut Stream<ChaCha8Rng>) -> f64) -> [u64; 4] {
    let mut stream = at::<ChaCha8Rng>(7, Domain::Author, 1);
    let first = [(); 3].map(|()| sampler(&mut stream).to_bits());
    let mixed = (0..10_000).fold(0u64, |mixed, _| {
        mixed.rotate_left(5).wrapping_mul(0x2545_f491_4f6c_dd1d) ^ sampler(&mut stream).to_bits()
    });
    [first[0], first[1], first[2], mixed]
}

#[test]
fn samplers() {
    let found = [
        variates(uniform),
        variates(uniform_positive),
        variates(normal),
        variates(exponential),
    ];
    let expected: [[u64; 4]; 4] = [
        [
            0x3fe4_1859_670f_e237,
            0x3fe6_90d3_06a3_3875,
            0x3fd2_251f_aec7_57bc,
            0xe8fa_cb93_6252_2626,
        ],
        [
            0x3fe4_1859_670f_e237,
            0x3fe6_90d3_06a3_3875,
            0x3fd2_251f_aec7_57be,
            0x8b63_d820_71be_89dc,
        ],
        [
            0x3fd4_e52c_d4e0_5ef5,
            0x3fe1_4263_ab59_8895,
            0xbfe2_5155_957f_fa83,
            0xe61d_97a4_d780_c757,
        ],
        [
            0x3fdd_c6ce_7ead_9757,
            0x3fd6_5aff_0181_7942,
            0x3ff4_2af4_a933_1c3a,
            0xdf1a_f783_82da_6ad9,
        ],
    ];
    assert_eq!(found, expected, "{found:#018x?}");
    // `rand` draws the same uniform.
    let mut stream = at::<ChaCha8Rng>(7, Domain::Author, 1);
    assert_eq!(stream.random::<f64>().to_bits(), found[0][0]);
}

/// Normal variates, whose tails go through a logarithm, and a logarithm of each.
struct Normals;

impl Kernel for Normals {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        tally.record(ln(1.0 + normal(rng).abs()));
    }
}

struct NormalsPerSample;

impl Kernel for NormalsPerSample {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const STREAMS: StreamPer = StreamPer::Sample;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, sample: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        Normals.sample(sample, rng, tally);
    }
}

fn run<K: Kernel>(kernel: &K) -> Node<K::Tally> {
    // 40 blocks of more than one stretch of sums each; the last one is short.
    let length = BlockLength::new(4096).unwrap();
    let grid = Grid::new(length, 0, 4096 * 39 + 1000).unwrap();
    let work = Work {
        kernel,
        seed: 7,
        grid,
        blocks: &[grid.blocks()],
        allowed_failures: 0,
        failed_before: &[],
    };
    let frontier = Frontier::new();
    let ended = engine::run(&work, &Pool::new(2).unwrap(), &frontier, &Control::new());
    assert_eq!(ended, Ok(Ended::Done));
    let mut trunk = Trunk::new();
    for node in frontier.into_nodes() {
        trunk.push(node);
    }
    trunk.finish().expect("some blocks")
}

fn bits(mean: &Mean) -> [u64; 3] {
    [
        mean.count(),
        mean.mean().unwrap().to_bits(),
        mean.variance().unwrap().to_bits(),
    ]
}

#[test]
fn a_whole_run() {
    let found = [
        bits(&run(&Normals).tally),
        bits(&run(&NormalsPerSample).tally),
    ];
    let expected: [[u64; 3]; 2] = [
        [160_744, 0x3fe1_1ebb_eec5_530f, 0x3fb9_d66a_6b22_7a25],
        [160_744, 0x3fe1_223a_5099_6482, 0x3fb9_e415_a1d8_ba25],
    ];
    assert_eq!(found, expected, "{found:#018x?}");
}
