//! Origins: where each setting comes from, which `-v` shows.

use std::fmt::Write as _;

/// The settings for which the strongest source wins. Those of other keys add up.
const SINGLE: [&str; 3] = ["kubeVersion", "pin", "lock"];

/// The sources of settings, the strongest first, each with the keys that it sets.
#[derive(Debug, Default)]
pub struct Origins(Vec<(String, String)>);

impl Origins {
    /// Adds a weaker source.
    pub fn add(&mut self, source: &str, keys: &[&str]) {
        self.0.extend(keys.iter().map(|&key| (key.to_owned(), source.to_owned())));
    }

    /// Adds flags and variables, each with its name as source.
    pub fn add_flags(&mut self, flags: &[(String, String)]) {
        let named = flags.iter().map(|(flag, source)| (key(flag).to_owned(), source.clone()));
        self.0.extend(named);
    }

    /// A line for each setting.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut keys: Vec<&str> = Vec::new();
        for (key, _) in &self.0 {
            if keys.contains(&key.as_str()) {
                continue;
            }
            keys.push(key);
            let sources = self.0.iter().filter(|(other, _)| other == key);
            let mut sources: Vec<_> = sources.map(|(_, source)| source.as_str()).collect();
            sources.dedup();
            let said = match &*sources {
                [first, rest @ ..] if SINGLE.contains(&key.as_str()) && !rest.is_empty() => {
                    format!("{first}, not from {}", rest.join(" or "))
                }
                all => all.join(" and "),
            };
            writeln!(text, "digestif: {key} comes from {said}").expect("a string takes all");
        }
        text
    }
}

/// The key of a configuration that a flag is about, or the name of the flag.
fn key(flag: &str) -> &str {
    match flag {
        "kube-version" => "kubeVersion",
        "fallback" | "preset" => "fallbacks",
        "skip-kind" => "skip",
        "registry" | "mirror" | "plain-http" | "insecure" | "insecure-login" => "registries",
        "require-digest" => "policy.requireDigest",
        "deny-mutable" => "policy.denyMutable",
        "expect" => "policy.expect",
        "require-platform" => "policy.requirePlatforms",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_wins_or_all_add_up() {
        let mut origins = Origins::default();
        let flag = |name: &str| (name.to_owned(), format!("--{name}"));
        origins.add_flags(&[flag("kube-version"), flag("skip"), flag("timeout")]);
        origins.add("digestif.yaml", &["kubeVersion", "skip"]);
        assert_eq!(
            origins.text(),
            "digestif: kubeVersion comes from --kube-version, not from digestif.yaml\n\
             digestif: skip comes from --skip and digestif.yaml\n\
             digestif: timeout comes from --timeout\n"
        );
    }
}
