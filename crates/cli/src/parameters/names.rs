//! The names of arguments: the variable that each has, and names that two would share.

use std::any::TypeId;
use std::fmt;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Command};

/// Gives every argument of a command and of its subcommands the variable `CROUPIER_<FLAG>`, `--spot-price` for example
/// `CROUPIER_SPOT_PRICE`. One that names a variable itself keeps it. clap reads the environment in this moment.
///
/// Switches take `1`, `yes` and `on` besides `true`, and their opposites: clap's own parser of a `bool` refuses what
/// most people set a variable to.
#[must_use]
pub fn set_environment_names(command: Command) -> Command {
    command
        .mut_args(|arg| match environment_name(&arg) {
            Some(name) if is_switch(&arg) => arg.env(name).value_parser(BoolishValueParser::new()),
            Some(name) => arg.env(name),
            None => arg,
        })
        .mut_subcommands(set_environment_names)
}

/// Whether an argument is `true` or `false` by being there, as clap derives it from a `bool`.
fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse)
        && arg.get_value_parser().type_id() == TypeId::of::<bool>()
}

/// A kernel's parameter that has a name which is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The kernel's parameter, by its id.
    pub parameter: String,
    /// The names that are taken: `--samples`, `-s`, `CROUPIER_SAMPLES`, or the bare id.
    pub names: Vec<String>,
    /// The other parameter of the kernel that has them; `None` if they are Croupier's own.
    pub other: Option<String>,
}

/// The names in which a kernel's parameters collide with ours, or with each other. To be asked at every start, for
/// clap merges two arguments of one name in a release build, and says nothing.
#[must_use]
pub fn find_collisions(ours: &Command, kernels: &Command) -> Vec<Collision> {
    // Building adds `--help` and `--version`, which are ours as well.
    let mut ours = ours.clone();
    ours.build();
    let parameters: Vec<&Arg> = kernels.get_arguments().collect();
    let mut collisions = Vec::new();
    for (position, parameter) in parameters.iter().enumerate() {
        let names = names_of(parameter);
        let shared = |other: &Arg| {
            let others = names_of(other);
            let mut names = names.clone();
            names.retain(|name| others.contains(name));
            names
        };
        let with_ours = ours.get_arguments().map(|other| (shared(other), None));
        let with_kernels = parameters[..position]
            .iter()
            .map(|other| (shared(other), Some(other.get_id().to_string())));
        for (names, other) in with_ours.chain(with_kernels) {
            let collision = Collision {
                parameter: parameter.get_id().to_string(),
                names: names.into_iter().map(|(_, name)| name).collect(),
                other,
            };
            // One flag of ours may be that of several verbs.
            if !collision.names.is_empty() && !collisions.contains(&collision) {
                collisions.push(collision);
            }
        }
    }
    collisions
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            parameter,
            names,
            other,
        } = self;
        let names = names.join(", ");
        write!(
            f,
            "the kernel's parameter `{parameter}` cannot be called {names}: "
        )?;
        match other {
            None => write!(
                f,
                "these names are Croupier's own; rename the field or its flag"
            ),
            Some(other) => write!(
                f,
                "its parameter `{other}` is called so too; rename one of them"
            ),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Id,
    Long,
    Short,
    Variable,
}

fn names_of(arg: &Arg) -> Vec<(Kind, String)> {
    let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
    let longs = longs
        .into_iter()
        .chain(arg.get_all_aliases().unwrap_or_default());
    let shorts = arg
        .get_short()
        .into_iter()
        .chain(arg.get_all_short_aliases().unwrap_or_default());
    let mut names = vec![(Kind::Id, arg.get_id().to_string())];
    names.extend(longs.map(|long| (Kind::Long, format!("--{long}"))));
    names.extend(shorts.map(|short| (Kind::Short, format!("-{short}"))));
    names.extend(environment_name(arg).map(|name| (Kind::Variable, name)));
    names.dedup();
    names
}

fn environment_name(arg: &Arg) -> Option<String> {
    use ArgAction::{Help, HelpLong, HelpShort, Version};
    if matches!(arg.get_action(), Help | HelpLong | HelpShort | Version) {
        return None;
    }
    // Meant for one call alone, and named like what a run is planned with.
    if arg.is_hide_env_set() {
        return None;
    }
    if let Some(own) = arg.get_env() {
        return Some(own.to_string_lossy().into_owned());
    }
    let name = arg.get_long().unwrap_or(arg.get_id().as_str());
    let upper = name.to_uppercase();
    Some(format!(
        "CROUPIER_{}",
        upper.replace(|c: char| !c.is_alphanumeric(), "_")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Command {
        Command::new("ours")
            .arg(
                Arg::new("samples")
                    .long("samples")
                    .short('n')
                    .alias("count"),
            )
            .arg(Arg::new("threads").long("threads"))
    }

    fn collisions(parameter: Arg) -> Vec<String> {
        let kernels = Command::new("kernel").arg(parameter);
        let found = find_collisions(&ours(), &kernels);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_kind_of_name_is_looked_at() {
        for (parameter, names) in [
            (Arg::new("samples"), "called samples, CROUPIER_SAMPLES:"),
            (
                Arg::new("a").long("samples"),
                "called --samples, CROUPIER_SAMPLES:",
            ),
            (
                Arg::new("a").long("b").alias("samples"),
                "called --samples:",
            ),
            (
                Arg::new("a").long("b").visible_alias("samples"),
                "called --samples:",
            ),
            (Arg::new("a").long("count"), "called --count:"),
            (Arg::new("a").short('n'), "called -n:"),
            (Arg::new("a").short('b').short_alias('n'), "called -n:"),
            (
                Arg::new("a").long("b").env("CROUPIER_THREADS"),
                "called CROUPIER_THREADS:",
            ),
            (Arg::new("a").long("help"), "called --help:"),
            (Arg::new("height").short('h'), "called -h:"),
        ] {
            let found = collisions(parameter);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].contains(names) && found[0].contains("Croupier's own"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn other_names_are_free() {
        assert_eq!(
            collisions(Arg::new("spot").long("spot").short('s')),
            [""; 0]
        );
        // An id and a flag are different kinds of names.
        assert_eq!(collisions(Arg::new("count").long("steps")), [""; 0]);
    }

    #[test]
    fn what_collides_with_several_verbs_is_said_once() {
        let twice = ours().arg(
            Arg::new("samples")
                .long("samples")
                .short('n')
                .alias("count"),
        );
        let kernels = Command::new("kernel").arg(Arg::new("a").long("samples"));
        assert_eq!(find_collisions(&twice, &kernels).len(), 1);
    }

    #[test]
    fn a_kernel_can_collide_with_itself() {
        let kernels = Command::new("kernel")
            .arg(Arg::new("spot").long("spot"))
            .arg(Arg::new("spot").long("spot-price"));
        let found = find_collisions(&ours(), &kernels);
        assert_eq!(
            found,
            [Collision {
                parameter: "spot".into(),
                names: vec!["spot".into()],
                other: Some("spot".into()),
            }]
        );
        assert!(found[0].to_string().contains("called so too"));
    }

    #[test]
    fn every_argument_of_every_verb_has_a_variable() {
        let command = ours()
            .arg(Arg::new("own").long("own").env("MY_OWN"))
            .subcommand(Command::new("run").arg(Arg::new("spot_price").long("spot-price")));
        let command = set_environment_names(command);
        let variables = |command: &Command| {
            let names = command
                .get_arguments()
                .filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned));
            names.collect::<Vec<_>>()
        };
        assert_eq!(
            variables(&command),
            ["CROUPIER_SAMPLES", "CROUPIER_THREADS", "MY_OWN"]
        );
        let inner: Vec<_> = command.get_subcommands().flat_map(variables).collect();
        assert_eq!(inner, ["CROUPIER_SPOT_PRICE"]);
    }

    /// What a switch is by `value` in its variable: the variable is not set, the parser it would meet is asked.
    #[test]
    fn a_switch_takes_what_people_set_variables_to() {
        #[derive(clap::Args)]
        struct Switches {
            /// Derived, as kernels have it.
            #[arg(long)]
            alone: bool,
        }
        let command = <Switches as clap::Args>::augment_args(Command::new("pi"));
        let command = set_environment_names(command);
        let read = |value: &str| {
            let arg = command
                .get_arguments()
                .find(|arg| arg.get_id() == "alone")?;
            // The same argument with a value instead of an action shows what its parser makes of the value.
            let arg = arg.clone().action(ArgAction::Set).num_args(1);
            let command = Command::new("pi").arg(arg);
            let matches = command
                .try_get_matches_from(["pi", &format!("--alone={value}")])
                .ok()?;
            matches.get_one::<bool>("alone").copied()
        };
        for (value, expected) in [
            ("1", Some(true)),
            ("true", Some(true)),
            ("yes", Some(true)),
            ("0", Some(false)),
            ("false", Some(false)),
            ("maybe", None),
            ("", None),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }
}
