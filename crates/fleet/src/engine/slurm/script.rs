//! The batch script: it becomes the program, so that what Slurm sends to the batch shell reaches the program.

use std::path::Path;

/// What would choose another shard than the array's index. `sbatch` hands on the environment it is called in.
const NOT_HANDED_ON: &str = "CROUPIER_SHARD CROUPIER_INDEX CROUPIER_INDEX_OFFSET CROUPIER_ROUND";

/// A script that runs `program` with `arguments`.
pub(super) fn script(program: &Path, arguments: &[String]) -> String {
    let mut call = quoted(&program.to_string_lossy());
    for argument in arguments {
        call.push(' ');
        call.push_str(&quoted(argument));
    }
    format!("#!/bin/sh\nunset {NOT_HANDED_ON}\nexec {call}\n")
}

/// One word of a shell, whatever is in it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_words_as_they_were() {
        let words = [
            "shard",
            "",
            "two words",
            "it's",
            "$HOME `x` \"q\" \\",
            "line\nend",
            "a;b",
        ];
        let words: Vec<String> = words.map(str::to_owned).into();
        let script = script(
            Path::new("printf"),
            &[vec!["%s|".to_owned()], words.clone()].concat(),
        );
        let done = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(done.stdout).unwrap(),
            format!("{}|", words.join("|"))
        );
    }
}
