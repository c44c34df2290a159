//! Known answers, each within four standard errors under a fixed seed.

use std::f64::consts::PI;

use serde_json::Value;

use super::report;

/// The estimate `name` of a report: value and standard error.
fn estimate(report: &Value, name: &str) -> (f64, f64) {
    let estimates = report["estimates"].as_array().expect("estimates");
    let found = estimates.iter().find(|estimate| estimate["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {report}"));
    let of = |field: &str| found[field].as_f64().unwrap_or(f64::NAN);
    (of("value"), of("std_error"))
}

/// Asserts that an estimate is as near to `answer` as it says, and that what it says is worth something.
fn is_near(report: &Value, name: &str, answer: f64, largest_error: f64) {
    let (value, error) = estimate(report, name);
    assert!(
        (value - answer).abs() < 4.0 * error,
        "{name}: {value} +- {error}, the answer is {answer}"
    );
    assert!(
        error < largest_error,
        "{name}: an error of {error} says nothing"
    );
}

#[test]
fn pi() {
    let report = report("pi", "--samples 3000000 --seed 7", &[]);
    is_near(&report, "pi", PI, 1e-3);
}

#[test]
fn own_tally_is_one_over_e() {
    let report = report("own_tally", "--samples 600000 --seed 7", &[]);
    is_near(&report, "uniform", (-1.0_f64).exp(), 1e-3);
}

/// Simpson's rule.
fn integral(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    const STEPS: u32 = 4_000;
    let step = (to - from) / f64::from(STEPS);
    let weight = |i| match i {
        0 | STEPS => 1.0,
        odd if odd % 2 == 1 => 4.0,
        _ => 2.0,
    };
    let terms = (0..=STEPS).map(|i| weight(i) * f(from + step * f64::from(i)));
    terms.sum::<f64>() * step / 3.0
}

/// The normal distribution function.
fn normal_cdf(x: f64) -> f64 {
    0.5 + integral(|t| (-0.5 * t * t).exp(), 0.0, x) / (2.0 * PI).sqrt()
}

#[test]
fn european_option_is_black_and_scholes() {
    for (arguments, [spot, strike, rate, volatility, maturity]) in [
        ("--seed 7", [100.0, 100.0, 0.05, 0.2, 1.0]),
        (
            "--seed 8 --spot 90 --strike 110 --rate -0.01 --volatility 0.45 --maturity 2.5",
            [90.0, 110.0, -0.01, 0.45, 2.5],
        ),
    ] {
        let report = report(
            "european_option",
            &format!("--samples 600000 {arguments}"),
            &[],
        );
        let spread = volatility * f64::sqrt(maturity);
        let discounted = strike * f64::exp(-rate * maturity);
        let d1 = (f64::ln(spot / strike) + rate * maturity) / spread + 0.5 * spread;
        let call = spot * normal_cdf(d1) - discounted * normal_cdf(d1 - spread);
        is_near(&report, "call", call, 0.1);
        is_near(&report, "put", call - spot + discounted, 0.1);
        is_near(&report, "delta", normal_cdf(d1), 2e-3);
    }
    // The form above against a value from the literature: Hull's example has 4.76 and 0.81.
    let d1 = (f64::ln(42.0 / 40.0) + (0.1 + 0.02) * 0.5) / (0.2 * f64::sqrt(0.5));
    let d2 = d1 - 0.2 * f64::sqrt(0.5);
    let call = 42.0 * normal_cdf(d1) - 40.0 * f64::exp(-0.05) * normal_cdf(d2);
    assert!((call - 4.76).abs() < 5e-3, "{call}");
}

/// Counts of neutrons, which are whole numbers.
fn count(report: &Value, name: &str) -> u64 {
    let samples = report["samples"]["done"].as_u64().expect("a count");
    (estimate(report, name).0 * samples as f64).round() as u64
}

fn every_neutron_has_one_fate(report: &Value) {
    let fates = ["transmitted", "reflected", "absorbed"].map(|name| count(report, name));
    assert_eq!(
        fates.iter().sum::<u64>(),
        report["samples"]["done"].as_u64().unwrap()
    );
}

/// Where every collision absorbs, what comes through has not collided.
#[test]
fn neutron_slab_that_only_absorbs_is_exponential() {
    for thickness in [0.1, 1.5, 4.0] {
        let arguments = format!("--samples 100000 --seed 7 --absorption 1 --thickness {thickness}");
        let report = report("neutron_slab", &arguments, &[]);
        is_near(&report, "transmitted", f64::exp(-thickness), 2e-3);
        assert_eq!(count(&report, "reflected"), 0);
        assert_eq!(
            estimate(&report, "collisions").0,
            estimate(&report, "absorbed").0
        );
        every_neutron_has_one_fate(&report);
    }
}

/// The exponential integral E2(x) = e^-x - x E1(x), for x up to about 5.
fn e2(x: f64) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    if x == 0.0 {
        return 1.0;
    }
    let mut term = 1.0;
    let mut series = 0.0;
    for k in 1..60 {
        let k = f64::from(k);
        term *= -x / k;
        series -= term / k;
    }
    (-x).exp() - x * (-EULER - x.ln() + series)
}

/// The same slab by the integral equation of transport, with no random number in it: the collisions in a cell are
/// those of neutrons that come straight from outside, and of those that were scattered last in any other cell, who
/// fly to all sides alike. Solved by iteration, the fates follow from the collisions.
fn transport(thickness: f64, absorption: f64) -> [f64; 4] {
    const CELLS: usize = 400;
    let width = thickness / CELLS as f64;
    let middle = |cell: usize| (cell as f64 + 0.5) * width;
    // Half of E1 over a cell, seen from a distance between middles.
    let seen: Vec<f64> = (0..CELLS)
        .map(|apart| {
            let distance = apart as f64 * width;
            if apart == 0 {
                1.0 - e2(width / 2.0)
            } else {
                0.5 * (e2(distance - width / 2.0) - e2(distance + width / 2.0))
            }
        })
        .collect();
    let first: Vec<f64> = (0..CELLS).map(|cell| (-middle(cell)).exp()).collect();
    let mut collisions = first.clone();
    for _ in 0..200 {
        collisions = (0..CELLS)
            .map(|to| {
                let scattered = (0..CELLS).map(|from| collisions[from] * seen[from.abs_diff(to)]);
                first[to] + (1.0 - absorption) * scattered.sum::<f64>()
            })
            .collect();
    }
    let over = |f: &dyn Fn(usize) -> f64| -> f64 {
        (0..CELLS)
            .map(|cell| collisions[cell] * f(cell))
            .sum::<f64>()
            * width
    };
    let all = over(&|_| 1.0);
    let out = (1.0 - absorption) / 2.0;
    let transmitted = (-thickness).exp() + out * over(&|cell| e2(thickness - middle(cell)));
    let reflected = out * over(&|cell| e2(middle(cell)));
    [transmitted, reflected, absorption * all, all]
}

#[test]
fn neutron_slab_that_scatters_obeys_the_transport_equation() {
    for (thickness, absorption) in [(2.0, 0.3), (1.0, 0.1)] {
        let answers = transport(thickness, absorption);
        let balance: f64 = answers[..3].iter().sum();
        assert!((balance - 1.0).abs() < 1e-4, "{answers:?}");
        let arguments =
            format!("--samples 300000 --seed 7 --thickness {thickness} --absorption {absorption}");
        let report = report("neutron_slab", &arguments, &[]);
        for (name, answer) in ["transmitted", "reflected", "absorbed", "collisions"]
            .iter()
            .zip(answers)
        {
            is_near(&report, name, answer, 5e-3);
        }
        every_neutron_has_one_fate(&report);
    }
}

/// The mean wait of a queue's first customers, who find it empty at first, by Spitzer's identity: customer n waits
/// the sum over k to n of E[max(S_k, 0)] / k, where S_k is k services less k gaps. For exponential ones, of the first
/// 2k events of both the order alone decides: with j services ended before the k-th gap has, k - j are left.
fn mean_wait(customers: u32, load: f64) -> f64 {
    let (gap_first, service_first) = (load / (1.0 + load), 1.0 / (1.0 + load));
    let (mut wait, mut total) = (0.0, 0.0);
    for k in 1..customers {
        let k = f64::from(k);
        let mut chance = gap_first.powf(k);
        let mut left = 0.0;
        let mut j = 0.0;
        while j < k {
            left += (k - j) * chance;
            chance *= (k + j) / (j + 1.0) * service_first;
            j += 1.0;
        }
        wait += left / k;
        total += wait;
    }
    total / f64::from(customers)
}

#[test]
fn costly_is_a_queue_with_one_server() {
    // In the long run, customers wait load / (1 - load).
    assert!((mean_wait(500, 0.1) - 0.1 / 0.9).abs() < 1e-3);
    for (arguments, customers, load) in [
        ("--seed 7 --customers 400 --shards 10", 400, 0.5),
        ("--seed 8 --customers 300 --load 0.9", 300, 0.9),
        ("--seed 9 --customers 2", 2, 0.5),
    ] {
        let report = report("costly", &format!("--samples 1000 {arguments}"), &[]);
        is_near(&report, "mean", mean_wait(customers, load), 0.2);
    }
    // One service less one gap, when it is above 0: 1/2 * 2/3.
    assert!((mean_wait(2, 0.5) - 0.5 / 3.0).abs() < 1e-12);
}

/// The complete elliptic integral of the first kind, by the arithmetic-geometric mean.
fn elliptic_integral(modulus: f64) -> f64 {
    let [mut a, mut b] = [1.0, (1.0 - modulus * modulus).sqrt()];
    while (a - b).abs() > 1e-15 {
        [a, b] = [0.5 * (a + b), (a * b).sqrt()];
    }
    0.5 * PI / a
}

/// The energy a spin of the infinite lattice: L. Onsager, "Crystal Statistics. I", Phys. Rev. 65 (1944), 117-149.
fn onsager_energy(temperature: f64) -> f64 {
    let twice = 2.0 / temperature;
    let modulus = 2.0 * twice.sinh() / twice.cosh().powi(2);
    let factor = 2.0 * twice.tanh().powi(2) - 1.0;
    -(1.0 + 2.0 / PI * factor * elliptic_integral(modulus)) / twice.tanh()
}

/// Away from the critical temperature, where a lattice of 32 by 32 is many correlation lengths wide.
#[test]
fn ising_has_onsagers_energy() {
    for (arguments, temperature) in [("--seed 7", 3.0), ("--seed 8 --temperature 2", 2.0)] {
        let report = report("ising", &format!("--samples 32 {arguments}"), &[]);
        is_near(&report, "energy", onsager_energy(temperature), 1e-3);
        for name in ["energy", "magnetisation"] {
            let (time, error) = estimate(&report, &format!("{name}.autocorrelation_time"));
            assert!(
                time > 2.0 && error < 0.3 * time,
                "{name}: {time} +- {error}"
            );
        }
        if temperature < 2.0 / (1.0 + 2.0_f64.sqrt()).ln() {
            // C. N. Yang, Phys. Rev. 85 (1952), 808-816.
            let magnetisation = (1.0 - (2.0 / temperature).sinh().powi(-4)).powf(0.125);
            is_near(&report, "magnetisation", magnetisation, 1e-3);
        }
    }
    // At the critical temperature the energy is -sqrt(2).
    let critical = 2.0 / (1.0 + 2.0_f64.sqrt()).ln();
    assert!((onsager_energy(critical - 1e-4) + 2.0_f64.sqrt()).abs() < 2e-3);
}

/// The call on the mean of two prices: once the first is known, it is a call on the second, by Black and Scholes; the
/// first is integrated over.
fn asian_call_of_two_dates(
    spot: f64,
    strike: f64,
    rate: f64,
    volatility: f64,
    maturity: f64,
) -> f64 {
    let step = maturity / 2.0;
    let spread = volatility * step.sqrt();
    let drift = rate * step - 0.5 * spread * spread;
    let discount = f64::exp(-rate * step);
    let call = |first: f64| {
        // (first + second) / 2 - strike is half of second - left.
        let left = 2.0 * strike - first;
        let value = if left <= 0.0 {
            first - discount * left
        } else {
            let d1 = (f64::ln(first / left) + rate * step) / spread + 0.5 * spread;
            first * normal_cdf(d1) - discount * left * normal_cdf(d1 - spread)
        };
        0.5 * value
    };
    let density = |z: f64| f64::exp(-0.5 * z * z) / (2.0 * PI).sqrt();
    let of = |z: f64| density(z) * call(spot * f64::exp(drift + spread * z));
    discount * integral(of, -9.0, 9.0)
}

#[test]
fn asian_option_is_an_integral_and_its_control_pays() {
    for (arguments, [spot, strike, rate, volatility, maturity], largest_error) in [
        ("--seed 7", [100.0, 100.0, 0.05, 0.2, 1.0], 1e-3),
        (
            "--seed 8 --spot 90 --strike 110 --rate -0.01 --volatility 0.45 --maturity 2.5",
            [90.0, 110.0, -0.01, 0.45, 2.5],
            1.2e-2,
        ),
    ] {
        let report = report(
            "asian_option",
            &format!("--samples 200000 --dates 2 {arguments}"),
            &[],
        );
        let answer = asian_call_of_two_dates(spot, strike, rate, volatility, maturity);
        is_near(&report, "asian-option", answer, largest_error);
        is_near(&report, "plain", answer, 0.1);
        assert!(!report["warnings"].to_string().contains("said to be known"));
    }
    // More dates: no answer, but the plain mean, and a control that is worth hundreds of times the samples.
    let report = report("asian_option", "--samples 200000 --seed 7 --dates 50", &[]);
    let (value, error) = estimate(&report, "asian-option");
    is_near(&report, "plain", value, 0.1);
    let (reduction, _) = estimate(&report, "variance_reduction");
    let (_, plain_error) = estimate(&report, "plain");
    assert!(reduction > 500.0, "{reduction}");
    assert!(((plain_error / error).powi(2) / reduction - 1.0).abs() < 1e-9);
}

/// The normal tail by its continued fraction, right to the last digits from 3 on.
fn normal_tail(x: f64) -> f64 {
    let fraction = (1..200).rev().fold(x, |below, k| x + f64::from(k) / below);
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt() / fraction
}

#[test]
fn rare_event_has_its_closed_form() {
    // The probability of 5 deviations is in every table.
    assert!((normal_tail(5.0) / 2.866_515_718_791_94e-7 - 1.0).abs() < 1e-12);
    for (arguments, threshold) in [
        ("--seed 7", 5.0),
        ("--seed 8 --threshold 4", 4.0),
        ("--seed 9 --threshold 20", 20.0),
    ] {
        let report = report("rare_event", &format!("--samples 300000 {arguments}"), &[]);
        let answer = normal_tail(threshold);
        is_near(&report, "plain", answer, 1e-2 * answer);
        let warnings = report["warnings"].to_string();
        assert!(
            warnings.contains("`self_normalised` rests on no more than"),
            "{warnings}"
        );
    }
}

#[test]
fn harmonic_oscillator_has_the_energy_of_its_temperature() {
    for (arguments, answer) in [
        ("--seed 7", 1.0),
        (
            "--seed 8 --temperature 2 --sampled 1.5 --stiffness 0.5",
            4.0,
        ),
    ] {
        let report = report(
            "harmonic_oscillator",
            &format!("--samples 400000 {arguments}"),
            &[],
        );
        is_near(&report, "harmonic-oscillator", answer, 2e-2);
        is_near(&report, "jackknife", answer, 2e-2);
        assert_eq!(report["warnings"], Value::Array(Vec::new()));
    }
}
