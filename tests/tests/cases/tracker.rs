//! Each case has a tracker of its own, and a driver tells all of them what is done.

use serde_json::json;

use super::{fresh, several, write};

#[test]
fn a_driver_tells_the_trackers_of_all_cases() {
    let here = fresh();
    write(here.path(), "kwargs/0.json", r#"{"low": 1}"#);
    write(here.path(), "kwargs/3.json", r#"{"low": 2}"#);
    let program = several(here.path());
    let run = "uniform run --cases kwargs --shards 2 --samples 640 --seed 7 --name demo";
    program.call(run).exits(0);
    let drive = "drive --run demo --every 20ms --tracker store";
    program.call(drive).exits(0).tells(&["4 shards"]);
    for case in [0, 3] {
        let status = format!("status --run croupier-runs/demo/cases/{case} --tracker store --json");
        let status = program.call(&status).exits(0).json();
        assert_eq!(status["tracked"], json!({ "done": 2 }), "case {case}");
        // By its own numbers.
        let folder = here
            .path()
            .join(format!("croupier-runs/demo/cases/{case}/tracker"));
        for shard in ["00000", "00001"] {
            assert!(folder.join(shard).is_dir(), "shard {shard} of case {case}");
        }
    }
    // Told once.
    let again = program.call(drive).exits(0);
    assert!(!again.stderr.contains("told"), "{again}");
}
