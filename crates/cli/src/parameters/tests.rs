//! From JSON and a command line to matches, as the verbs do it.

use clap::builder::FalseyValueParser;
use clap::{Arg, ArgAction, value_parser};

use super::*;

/// Set by Cargo whenever it runs a test: the only way to have a variable without setting one.
const SET_VARIABLE: &str = "CARGO_MANIFEST_DIR";

fn kernel() -> Command {
    let float = || value_parser!(f64);
    Command::new("option")
        .arg(
            Arg::new("spot")
                .long("spot")
                .value_parser(float())
                .required(true),
        )
        .arg(
            Arg::new("strike_price")
                .long("strike-price")
                .alias("k-price")
                .value_parser(float())
                .default_value("100"),
        )
        .arg(
            Arg::new("steps")
                .long("steps")
                .value_parser(value_parser!(u64)),
        )
        .arg(
            Arg::new("weights")
                .long("weight")
                .value_parser(float())
                .action(ArgAction::Append),
        )
        .arg(
            Arg::new("knots")
                .long("knots")
                .action(ArgAction::Append)
                .default_values(["0", "1"]),
        )
        .arg(
            Arg::new("corners")
                .long("corners")
                .value_parser(float())
                .num_args(2),
        )
        .arg(Arg::new("greeks").long("greeks").value_delimiter(','))
        .arg(
            Arg::new("antithetic")
                .long("antithetic")
                .action(ArgAction::SetTrue),
        )
        .arg(Arg::new("detail").short('d').action(ArgAction::Count))
        .arg(Arg::new("title").long("title").conflicts_with("antithetic"))
        .arg(Arg::new("home").long("home").env(SET_VARIABLE))
        .arg(
            Arg::new("fast")
                .long("fast")
                // Clap's own parser of switches would refuse what the variable holds.
                .value_parser(FalseyValueParser::new())
                .action(ArgAction::SetTrue)
                .env(SET_VARIABLE),
        )
        .arg(Arg::new("scene").help("a positional one"))
}

/// `option [--config C] run|shard [--name N] <the kernel's>`, or `option status`
fn program() -> Command {
    let verb = |name: &'static str| {
        let verb = Command::new(name).arg(Arg::new("name").long("name"));
        kernel()
            .get_arguments()
            .fold(verb, |verb, arg| verb.arg(arg))
    };
    Command::new("option")
        .arg(Arg::new("config").long("config"))
        .subcommand(verb("run"))
        .subcommand(verb("shard"))
        .subcommand(Command::new("status"))
}

fn flags(json: &str) -> Result<JsonFlags, ParametersError> {
    JsonFlags::read(&kernel(), &JsonText::from_bytes("p.json", json.into())?)
}

/// The matches of the verb.
fn parsed(line: &str, json: &str) -> Result<ArgMatches, String> {
    let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let flags = flags(json).map_err(|error| error.to_string())?;
    let matches = parse(&program(), &arguments, &flags).map_err(|error| error.to_string())?;
    Ok(leaf_of(&matches).1.clone())
}

fn floats(matches: &ArgMatches, id: &str) -> Vec<f64> {
    matches.get_many(id).unwrap_or_default().copied().collect()
}

fn texts(matches: &ArgMatches, id: &str) -> Vec<String> {
    matches.get_many(id).unwrap_or_default().cloned().collect()
}

fn refusal(line: &str, json: &str) -> String {
    match parsed(line, json) {
        Ok(matches) => panic!("{json} was taken as {matches:?}"),
        Err(text) => text,
    }
}

#[test]
fn values_of_every_type_become_flags() -> Result<(), String> {
    let matches = parsed(
        "option run",
        r#"{
            "spot": -1.5e-3, "strike-price": "99.5", "steps": 18446744073709551615,
            "weights": [1, -2, 3e-1], "corners": [0.25, 4], "greeks": ["delta", "vega"],
            "antithetic": true, "detail": 3, "home": "-a \"quoted\" \u00e9 = 1"
        }"#,
    )?;
    assert_eq!(floats(&matches, "spot"), [-0.0015]);
    assert_eq!(floats(&matches, "strike_price"), [99.5]);
    assert_eq!(matches.get_one("steps"), Some(&u64::MAX));
    assert_eq!(floats(&matches, "weights"), [1.0, -2.0, 0.3]);
    assert_eq!(floats(&matches, "corners"), [0.25, 4.0]);
    assert_eq!(texts(&matches, "greeks"), ["delta", "vega"]);
    assert!(matches.get_flag("antithetic"));
    assert_eq!(matches.get_count("detail"), 3);
    assert_eq!(texts(&matches, "home"), ["-a \"quoted\" é = 1"]);
    Ok(())
}

#[test]
fn numbers_pass_digit_for_digit() -> Result<(), ParametersError> {
    let numbers = [
        "9007199254740993",
        "0.1000000000000000055511151231257827",
        "1E+2",
        "-0",
    ];
    for number in numbers {
        let flags = flags(&format!("{{\"spot\": {number}}}"))?;
        assert_eq!(
            flags.flags[0].arguments,
            [OsString::from(format!("--spot={number}"))]
        );
    }
    Ok(())
}

#[test]
fn a_key_may_be_the_flag_the_field_or_an_alias() -> Result<(), String> {
    for key in ["strike_price", "strike-price", "k_price", "k-price"] {
        let matches = parsed("option run --spot 1", &format!("{{\"{key}\": 7}}"))?;
        assert_eq!(floats(&matches, "strike_price"), [7.0], "{key}");
    }
    for key in ["weight", "weights"] {
        let matches = parsed("option run --spot 1", &format!("{{\"{key}\": 7}}"))?;
        assert_eq!(floats(&matches, "weights"), [7.0], "{key}");
    }
    Ok(())
}

#[test]
fn the_command_line_goes_before_json_before_the_environment_before_the_default()
-> Result<(), String> {
    let both = parsed(
        "option run --spot 1 --weight 5 --home here",
        r#"{"spot": 2, "weights": [6, 7], "home": "there"}"#,
    )?;
    assert_eq!(floats(&both, "spot"), [1.0]);
    assert_eq!(floats(&both, "weights"), [5.0]);
    assert_eq!(texts(&both, "home"), ["here"]);

    let json = parsed(
        "option run",
        r#"{"spot": 2, "strike_price": 3, "home": "there"}"#,
    )?;
    assert_eq!(floats(&json, "strike_price"), [3.0]);
    assert_eq!(texts(&json, "home"), ["there"]);

    let neither = parsed("option run --spot 1", "{}")?;
    assert_eq!(floats(&neither, "strike_price"), [100.0]);
    assert_eq!(neither.value_source("home"), Some(ValueSource::EnvVariable));
    Ok(())
}

#[test]
fn false_goes_before_the_environment() -> Result<(), String> {
    assert!(parsed("option run --spot 1", "{}")?.get_flag("fast"));
    assert!(!parsed("option run --spot 1", r#"{"fast": false}"#)?.get_flag("fast"));
    assert!(parsed("option run --spot 1 --fast", r#"{"fast": false}"#)?.get_flag("fast"));
    Ok(())
}

#[test]
fn flags_are_put_after_the_verb() -> Result<(), String> {
    for line in [
        "option run",
        "option --config run run",
        "option run --name run",
        "option run -- scene",
        "option --config shard run scene",
    ] {
        let matches = parsed(line, r#"{"spot": 2}"#)?;
        assert_eq!(floats(&matches, "spot"), [2.0], "{line}");
    }
    Ok(())
}

#[test]
fn what_is_wrong_on_the_command_line_is_said_as_ever() {
    let json = r#"{"spot": 2, "strike_price": 3}"#;
    for (line, problem) in [
        (
            "option run --bogus --spot 3",
            "unexpected argument '--bogus'",
        ),
        ("option run --spot abc", "invalid value 'abc' for '--spot"),
        (
            "option run --spot 1 --spot 2",
            "cannot be used multiple times",
        ),
        (
            "option run --steps x --strike-price 4",
            "invalid value 'x' for '--steps",
        ),
        ("option walk", "unrecognized subcommand 'walk'"),
    ] {
        let text = refusal(line, json);
        assert!(text.contains(problem) && !text.contains("p.json"), "{text}");
    }
    assert!(refusal("option run", "{}").contains("--spot"));
    assert!(refusal("option run --help", json).contains("Usage: option run"));
}

#[test]
fn a_verb_without_the_parameters_refuses_them() {
    let text = refusal("option status", r#"{"spot": 2}"#);
    assert!(
        text.starts_with("p.json, line 1: `spot`: unexpected argument '--spot'"),
        "{text}"
    );
}

#[test]
fn what_clap_refuses_is_said_with_file_line_and_key() {
    for (json, text) in [
        (
            "{\n\n\"spot\": \"abc\"}",
            "p.json, line 3: `spot`: invalid value 'abc' for '--spot",
        ),
        (
            "{\"spot\": 1,\n \"steps\":\n -1}",
            "p.json, line 3: `steps`: invalid value '-1'",
        ),
        (
            "{\"spot\": 1, \"strike_price\": true}",
            "line 1: `strike_price`: invalid value 'true'",
        ),
        (
            "{\"spot\": 1, \"steps\": 1.5}",
            "line 1: `steps`: invalid value '1.5'",
        ),
        ("{\"spot\": \"\"}", "line 1: `spot`: "),
        (
            "{\"spot\": 1, \"corners\": [1]}",
            "line 1: `corners`: 2 values required",
        ),
        (
            "{\"spot\": 1, \"title\": \"a\", \"antithetic\": true}",
            "cannot be used with",
        ),
    ] {
        let refused = refusal("option run", json);
        assert!(refused.contains(text), "{refused}");
        assert!(refused.starts_with("p.json, line "), "{refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");
    }
}

#[test]
fn keys_that_are_no_flags_are_all_refused_at_once() {
    let text = refusal(
        "option run",
        r#"{
            "spto": 1,
            "volatility": 2,
            "strike-price": 3,
            "strike_price": 4,
            "steps": null,
            "spot": {"a": 1},
            "antithetic": "yes",
            "title": ["a"],
            "weights": [1, [2]],
            "knots": [],
            "detail": 256,
            "scene": "x",
            "help": true,
            "greeks": "\ud800"
        }"#,
    );
    let expected = [
        "line 2: `spto`: unknown parameter: did you mean `spot`?",
        "line 3: `volatility`: unknown parameter: expected one of `spot`, `strike-price`,",
        "line 5: `strike_price`: given twice, first as `strike-price` in line 4",
        "line 6: `steps`: null is no value",
        "line 7: `spot`: expected a single value, found an object",
        "line 8: `antithetic`: expected true or false, found a text",
        "line 9: `title`: expected a single value, found a list",
        "line 10: `weights`: expected a list of single values, found a list",
        "line 11: `knots`: an empty list would give the default, 0, 1",
        "line 12: `detail`: expected a whole number from 0 to 255, found a number",
        "line 13: `scene`: has no flag",
        "line 14: `help`: unknown parameter",
        "line 15: `greeks`: not a text",
    ];
    assert_eq!(text.lines().count(), expected.len(), "{text}");
    for (line, expected) in text.lines().zip(expected) {
        assert!(
            line.starts_with("p.json, ") && line.contains(expected),
            "{line}"
        );
    }
}

#[test]
fn null_in_a_list_is_refused() {
    assert!(refusal("option run", r#"{"weights": [1, null]}"#).contains("null is no value"));
}

#[test]
fn an_empty_list_without_a_default_is_no_flag() -> Result<(), String> {
    let matches = parsed("option run --spot 1", r#"{"weights": []}"#)?;
    assert_eq!(floats(&matches, "weights"), [0.0; 0]);
    Ok(())
}

#[test]
fn what_is_no_object_is_refused_with_its_place() {
    for (json, text) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("[1]", "expected an object of parameters at line 1 column 0"),
        ("7", "expected an object of parameters"),
        (
            "{\"spot\": 1,\n\"steps\": NaN}",
            "p.json, at key `steps`: expected value at line 2",
        ),
        ("{\"spot\": 1,}", "p.json, at key `spot`: trailing comma"),
        ("{\"spot\": 1} x", "trailing characters at line 1"),
        ("{'spot': 1}", "key must be a string"),
    ] {
        let refused = refusal("option run", json);
        assert!(
            refused.starts_with("p.json") && refused.contains(text),
            "{refused}"
        );
    }
}

#[test]
fn what_is_too_large_or_no_text_is_refused() {
    let mut bytes = b"{}".to_vec();
    bytes.resize(MOST_BYTES as usize, b' ');
    assert!(JsonText::from_bytes("p.json", bytes.clone()).is_ok());
    bytes.push(b' ');
    let error = JsonText::from_bytes("p.json", bytes).map_err(|error| error.to_string());
    assert!(error.is_err_and(|text| text.contains("longer than 1048576 bytes")));
    let error =
        JsonText::from_bytes("p.json", b"{\n\xff}".to_vec()).map_err(|error| error.to_string());
    assert!(error.is_err_and(|text| text.contains("p.json, line 2: not UTF-8")));
}

#[test]
fn a_flag_can_be_peeked_at_while_others_are_missing_or_wrong() -> Result<(), ParametersError> {
    let arguments = ["option", "run", "--name", "n", "--steps", "x"].map(OsString::from);
    let matches = peek(&program(), &arguments)?;
    let (verbs, leaf) = leaf_of(&matches);
    assert_eq!(verbs, ["run"]);
    assert_eq!(
        leaf.get_one::<String>("name").map(String::as_str),
        Some("n")
    );
    Ok(())
}
